package deadline

import (
	"errors"
	"os"
	"sync"
	"time"
)

// soon bounds how far away a deadline is set at first. Without it the long one between two requests would have to be
// brought nearer by each.
const soon = 10 * time.Second

// side is the deadline of one direction of a connection.
type side struct {
	// set tells the connection.
	set func(time.Time) error
	// soon is the constant, but in tests.
	soon time.Duration

	mu sync.Mutex
	// wanted is what was asked for, told what the connection has. Zero: none.
	wanted, told time.Time
	// busy counts the operations under way, for which a new deadline is, too.
	busy int
}

func (s *side) want(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = t
	if s.busy == 0 {
		return nil
	}
	return s.tell(t)
}

func (s *side) tell(t time.Time) error {
	s.told = t
	return s.set(t)
}

// do carries out an operation, and again where it has ended before its time without having done anything.
func (s *side) do(operation func([]byte) (int, error), b []byte) (int, error) {
	if err := s.begin(); err != nil {
		return 0, err
	}
	for {
		n, err := operation(b)
		if again, err := s.end(n, err); !again {
			return n, err
		}
	}
}

// begin sees to it that the operation does not last longer than is wanted. One that is to be over already is not begun,
// and the connection does not hear of it: net/http ends its look for a client's going away so, after each request.
func (s *side) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.wanted.IsZero() && (s.told.IsZero() || s.told.After(s.wanted)) {
		now := time.Now()
		if !s.wanted.After(now) {
			return os.ErrDeadlineExceeded
		}
		if err := s.tell(earlier(s.wanted, now.Add(s.soon))); err != nil {
			return err
		}
	}
	s.busy++
	return nil
}

// end says whether the operation is to be taken up again. If so it goes on being busy.
func (s *side) end(n int, err error) (again bool, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == 0 && s.isEarly(err) {
		failure := s.tell(s.next())
		if failure == nil {
			return true, nil
		}
		err = failure
	}
	s.busy--
	return false, err
}

// isEarly says that an operation was ended by a deadline that is not wanted any more.
func (s *side) isEarly(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) && (s.wanted.IsZero() || time.Now().Before(s.wanted))
}

// next is the deadline to go on under. One that was left over from long ago says nothing of how long this operation takes.
func (s *side) next() time.Time {
	now := time.Now()
	if s.wanted.IsZero() || now.Sub(s.told) < s.soon {
		return s.wanted
	}
	return earlier(s.wanted, now.Add(s.soon))
}

// hand tells the connection all that is wanted, for an operation that nobody takes up again.
func (s *side) hand(operation func() (int64, error)) (int64, error) {
	s.mu.Lock()
	s.busy++
	err := s.tell(s.wanted)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.busy--
		s.mu.Unlock()
	}()
	if err != nil {
		return 0, err
	}
	return operation()
}

func (s *side) wasEarly(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isEarly(err)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
