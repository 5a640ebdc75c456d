package deadline

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// tick is what the tests take for soon: short enough to pass many times.
const tick = 5 * time.Millisecond

// pair is a connection of ours and its other end, which is a plain one.
func pair(t testing.TB) (ours *conn, other *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := Listener{listener}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ours, other = accepted.(*conn), dialled.(*net.TCPConn)
	ours.read.soon, ours.write.soon = tick, tick
	t.Cleanup(func() { _ = ours.Close(); _ = other.Close() })
	return ours, other
}

func want(t *testing.T, what string, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) {
		t.Errorf("%s: got %v, want %v", what, err, wanted)
	}
}

func in(d time.Duration) time.Time { return time.Now().Add(d) }

func TestADeadlineIsKept(t *testing.T) {
	ours, _ := pair(t)
	for _, long := range []time.Duration{-time.Hour, 0, tick / 2, 10 * tick} {
		begun := time.Now()
		want(t, "set", ours.SetReadDeadline(begun.Add(long)), nil)
		_, err := ours.Read(make([]byte, 1))
		want(t, long.String(), err, os.ErrDeadlineExceeded)
		if took := time.Since(begun); took < long {
			t.Errorf("%s: it ended after %s", long, took)
		}
	}
}

// The first deadline is that of waiting for a request, and each request has a nearer one.
func TestANearerDeadlineIsKeptAndAFurtherOne(t *testing.T) {
	ours, _ := pair(t)
	for _, long := range []time.Duration{time.Hour, 20 * tick, 4 * tick, 12 * tick} {
		begun := time.Now()
		want(t, "set", ours.SetDeadline(in(time.Hour)), nil)
		want(t, "set", ours.SetReadDeadline(begun.Add(long)), nil)
		if long == time.Hour {
			continue
		}
		_, err := ours.Read(make([]byte, 1))
		want(t, long.String(), err, os.ErrDeadlineExceeded)
		if took := time.Since(begun); took < long || took > time.Minute {
			t.Errorf("%s: it ended after %s", long, took)
		}
	}
}

// net/http ends a read that is under way so, at the end of each request.
func TestADeadlineSetMeanwhileCounts(t *testing.T) {
	ours, other := pair(t)
	for range 50 {
		want(t, "set", ours.SetReadDeadline(time.Time{}), nil)
		ended := make(chan error)
		go func() {
			_, err := ours.Read(make([]byte, 1))
			ended <- err
		}()
		for !isBusy(&ours.read) {
			runtime.Gosched()
		}
		want(t, "set", ours.SetReadDeadline(time.Unix(1, 0)), nil)
		want(t, "a read under way", <-ended, os.ErrDeadlineExceeded)
		want(t, "set", ours.SetReadDeadline(time.Time{}), nil)
		if _, err := other.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_, err := ours.Read(make([]byte, 1))
		want(t, "the next one", err, nil)
	}
}

// Of a request that net/http answers the connection hears nothing.
func TestARequestMovesNoDeadline(t *testing.T) {
	ours, other := pair(t)
	ours.read.soon, ours.write.soon = soon, soon
	told := 0
	for _, s := range []*side{&ours.read, &ours.write} {
		set := s.set
		s.set = func(d time.Time) error { told++; return set(d) }
	}
	b := make([]byte, 1)
	request := func() {
		want(t, "idle", ours.SetReadDeadline(in(2*time.Minute)), nil)
		_, _ = other.Write(b)
		_, err := ours.Read(b)
		want(t, "the header", err, nil)
		want(t, "all of it", ours.SetReadDeadline(in(time.Minute)), nil)
		want(t, "the answer", ours.SetWriteDeadline(in(time.Minute)), nil)
		want(t, "a look whether the client is there", ours.SetReadDeadline(time.Unix(1, 0)), nil)
		_, err = ours.Read(b)
		want(t, "its end", err, os.ErrDeadlineExceeded)
		_, err = ours.Write(b)
		want(t, "the answer", err, nil)
		want(t, "none", ours.SetReadDeadline(time.Time{}), nil)
	}
	request()
	told = 0
	for range 10 {
		request()
	}
	if told > 0 {
		t.Errorf("10 requests told the connection of %d deadlines", told)
	}
}

func isBusy(s *side) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy > 0
}

func TestWithoutADeadlineItGoesOn(t *testing.T) {
	ours, other := pair(t)
	want(t, "set", ours.SetReadDeadline(in(2*tick)), nil)
	_, err := ours.Read(make([]byte, 1))
	want(t, "a deadline", err, os.ErrDeadlineExceeded)
	want(t, "set", ours.SetReadDeadline(time.Time{}), nil)
	time.AfterFunc(10*tick, func() { _, _ = other.Write([]byte("x")) })
	_, err = ours.Read(make([]byte, 1))
	want(t, "none", err, nil)
}

// The other end takes it so slowly that the connection has come to many of its own deadlines before all is written.
func TestALongWriteIsNotCutShort(t *testing.T) {
	ours, other := pair(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	var read bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() {
		slow := make([]byte, 256<<10)
		for {
			n, err := other.Read(slow)
			read.Write(slow[:n])
			if err != nil {
				return
			}
			<-time.After(tick / 2)
		}
	})
	want(t, "set", ours.SetWriteDeadline(in(time.Minute)), nil)
	if n, err := ours.Write(content); n != len(content) || err != nil {
		t.Fatal(n, err)
	}
	_ = ours.Close()
	reading.Wait()
	if !bytes.Equal(read.Bytes(), content) {
		t.Errorf("%d bytes came, of %d", read.Len(), len(content))
	}
}

func TestAWriteToNobodyEnds(t *testing.T) {
	ours, _ := pair(t)
	begun := time.Now()
	want(t, "set", ours.SetWriteDeadline(begun.Add(10*tick)), nil)
	_, err := ours.Write(make([]byte, 64<<20))
	want(t, "write", err, os.ErrDeadlineExceeded)
	if took := time.Since(begun); took < 10*tick {
		t.Errorf("it ended after %s", took)
	}
	// And nothing is written afterwards, until there is time again.
	_, err = ours.ReadFrom(bytes.NewReader([]byte("x")))
	want(t, "read from", err, os.ErrDeadlineExceeded)
}

// What the kernel copies goes by the deadline that is wanted, and not by one that was set before.
func TestACopyIsNotCutShort(t *testing.T) {
	ours, other := pair(t)
	want(t, "set", ours.SetDeadline(in(time.Minute)), nil)
	if _, err := ours.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	source, sink := net.Pipe()
	time.AfterFunc(10*tick, func() { _, _ = sink.Write([]byte("later")); _ = sink.Close() })
	if n, err := ours.ReadFrom(source); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	time.AfterFunc(10*tick, func() { _, _ = other.Write([]byte("back")); _ = other.CloseWrite() })
	var got bytes.Buffer
	if n, err := ours.WriteTo(&got); n != 4 || err != nil {
		t.Fatal(n, err)
	}
}

func TestEndsAndErrorsAreToldAsTheyAre(t *testing.T) {
	ours, other := pair(t)
	want(t, "set", ours.SetDeadline(in(time.Minute)), nil)
	_ = other.Close()
	_, err := ours.Read(make([]byte, 1))
	want(t, "the end", err, io.EOF)
	_ = ours.Close()
	_, err = ours.Read(make([]byte, 1))
	want(t, "closed", err, net.ErrClosed)
	_, err = ours.Write(make([]byte, 1))
	want(t, "closed", err, net.ErrClosed)
}

func TestManyAtOnce(t *testing.T) {
	ours, other := pair(t)
	end := in(20 * tick)
	var busy sync.WaitGroup
	for _, do := range []func(){
		func() { _, _ = ours.Read(make([]byte, 100)) },
		func() { _, _ = ours.Write(make([]byte, 100)) },
		func() { _ = ours.SetDeadline(in(tick)) },
		func() { _ = ours.SetReadDeadline(in(-tick)) },
		func() { _ = ours.SetWriteDeadline(in(time.Hour)) },
		func() { _ = other.SetReadDeadline(in(tick)); _, _ = other.Read(make([]byte, 100)) },
	} {
		busy.Go(func() {
			for time.Now().Before(end) {
				do()
			}
		})
	}
	busy.Wait()
}

// BenchmarkSet is what net/http sets for one request.
func BenchmarkSet(b *testing.B) {
	ours, _ := pair(b)
	ours.read.soon, ours.write.soon = soon, soon
	set := func(b *testing.B, c net.Conn) {
		b.Helper()
		for b.Loop() {
			now := time.Now()
			_ = c.SetReadDeadline(now.Add(2 * time.Minute))
			_ = c.SetReadDeadline(now.Add(10 * time.Second))
			_ = c.SetReadDeadline(now.Add(30 * time.Second))
			_ = c.SetWriteDeadline(now.Add(30 * time.Second))
		}
	}
	b.Run("plain", func(b *testing.B) { set(b, ours.TCPConn) })
	b.Run("ours", func(b *testing.B) { set(b, ours) })
}
