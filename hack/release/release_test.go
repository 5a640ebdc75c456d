package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const chartFolder = "../../charts/keywright"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contents returns the files of an archive by name.
func contents(t *testing.T, path string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	unzipped, err := gzip.NewReader(bytes.NewReader(content))
	must(t, err)
	archive, files := tar.NewReader(unzipped), map[string]string{}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		must(t, err)
		if !header.ModTime.IsZero() && header.ModTime.Unix() != 0 {
			t.Errorf("%s has a time", header.Name)
		}
		text, err := io.ReadAll(archive)
		must(t, err)
		files[header.Name] = string(text)
	}
}

// versionOf returns the version that the chart has.
func versionOf(t *testing.T) string {
	t.Helper()
	head, err := os.ReadFile(filepath.Join(chartFolder, "Chart.yaml"))
	must(t, err)
	return string(appVersion.FindSubmatch(head)[1])
}

func TestChart_TwoArchivesAreEqualAndHaveEveryFile(t *testing.T) {
	var archives [][]byte
	for range 2 {
		r := &release{version: versionOf(t), out: t.TempDir()}
		must(t, r.chart(chartFolder))
		path := filepath.Join(r.out, "keywright-"+strings.TrimPrefix(r.version, "v")+".tgz")
		content, err := os.ReadFile(path)
		must(t, err)
		archives = append(archives, content)
		files := contents(t, path)
		for _, name := range []string{"Chart.yaml", "values.yaml", "values.schema.json", "templates/server.yaml"} {
			want, err := os.ReadFile(filepath.Join(chartFolder, name))
			must(t, err)
			if files["keywright/"+name] != string(want) {
				t.Errorf("%s differs", name)
			}
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two archives differ")
	}
}

func TestChart_RefusesAnotherVersion(t *testing.T) {
	r := &release{version: "v99.0.0", out: t.TempDir()}
	if err := r.chart(chartFolder); err == nil || !strings.Contains(err.Error(), "must have version: 99.0.0") {
		t.Error(err)
	}
}

// A program of its own is as good as one of Keywright's: the linker records the same.
func TestPublish_TwoBuildsAreEqual(t *testing.T) {
	t.Chdir("../..")
	var files [][]byte
	for range 2 {
		r := &release{version: "v1.2.3", out: t.TempDir()}
		path := filepath.Join(t.TempDir(), "program")
		build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, "./hack/release")
		out, err := build.CombinedOutput()
		if err != nil {
			t.Fatal(string(out))
		}
		must(t, r.publish(program{name: "release"}, path, "release"))
		archive := contents(t, filepath.Join(r.out, "release.tar.gz"))
		if len(archive) != 2 || archive["LICENSE"] == "" || archive["program"] == "" {
			t.Fatalf("%d files", len(archive))
		}
		for _, name := range []string{"release.tar.gz", "release.cdx.json"} {
			content, err := os.ReadFile(filepath.Join(r.out, name))
			must(t, err)
			files = append(files, content)
		}
	}
	if !bytes.Equal(files[0], files[2]) || !bytes.Equal(files[1], files[3]) {
		t.Error("two builds differ")
	}
}

func TestBill_ListsWhatTheLinkerHasRecorded(t *testing.T) {
	path, err := exec.LookPath(os.Args[0])
	must(t, err)
	text, err := (&release{version: "v1.2.3"}).billOf("keywright", path, []byte("content"))
	must(t, err)
	var b bill
	must(t, json.Unmarshal(text, &b))
	uuid := regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if b.Format != "CycloneDX" || b.SpecVersion != "1.6" || !uuid.MatchString(b.SerialNumber) {
		t.Errorf("%+v", b)
	}
	self := b.Metadata.Component
	if self.Version != "v1.2.3" || self.PURL != "pkg:golang/keywright.dev/keywright@v1.2.3#cmd/keywright" ||
		len(self.Hashes[0].Content) != 64 {
		t.Errorf("%+v", self)
	}
	if std := b.Components[0]; std.Name != "std" || std.Version == "" {
		t.Errorf("%+v", std)
	}
}

func TestSums_AreThoseOfEveryFile(t *testing.T) {
	folder := t.TempDir()
	must(t, os.Mkdir(filepath.Join(folder, "images"), 0o755))
	must(t, os.WriteFile(filepath.Join(folder, "one"), []byte("1"), 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "images", "two"), []byte("2"), 0o600))
	for range 2 {
		must(t, writeSums(folder))
	}
	sums, err := os.ReadFile(filepath.Join(folder, sumsName))
	must(t, err)
	want := "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35  images/two\n" +
		"6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b  one\n"
	if string(sums) != want {
		t.Errorf("got %s", sums)
	}
}

func TestRun_RefusesBadFlags(t *testing.T) {
	out := t.TempDir()
	for line, want := range map[string]string{
		"":                                 "usage",
		"sing -version v1.2.3 -out " + out: "usage",
		"build -out " + out:                "must be like v1.2.3",
		"build -version 1.2.3 -out " + out: "must be like v1.2.3",
		"build -version v1.2.3":            "no folder",
		"build -version v1.2.3 -platforms plan9/386 -out " + out: `no release for platform "plan9/386"`,
	} {
		if err := run(strings.Fields(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", line, err)
		}
	}
}
