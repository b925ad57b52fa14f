package handlers_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
	"linkbroker/handlers"
)

// backups stand in for copies of a file, which have tests of their own.
type backups struct {
	kept   []handlers.Backup
	fails  error
	wait   func(ctx context.Context) error
	breaks bool
	closed int
}

func (b *backups) List() ([]handlers.Backup, error) { return b.kept, b.fails }

func (b *backups) Fresh(ctx context.Context) (io.ReadCloser, handlers.Backup, error) {
	if b.wait != nil {
		if err := b.wait(ctx); err != nil {
			return nil, handlers.Backup{}, err
		}
	}
	content := io.Reader(strings.NewReader("the store"))
	if b.breaks {
		content = io.MultiReader(io.LimitReader(content, 3), brokenReader{})
	}
	return &copyOfStore{content, b}, handlers.Backup{Name: "links-20260301T040000Z.db", At: beginning, Bytes: int64(len("the store"))}, b.fails
}

type copyOfStore struct {
	io.Reader

	of *backups
}

func (c *copyOfStore) Close() error {
	c.of.closed++
	return nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errDisk }

func TestABackupIsDownloaded(t *testing.T) {
	w := newWorld(t)
	copies := &backups{}
	w.config.Backups = copies
	w.listen()
	for _, header := range [][]string{nil, {"Range: bytes=4-"}} {
		out := w.administer("GET", "/api/v1/backup", header...)
		h := out.Header()
		if out.Code != 200 || out.text() != "the store" || h.Get("Content-Disposition") != `attachment; filename="links-20260301T040000Z.db"` {
			t.Errorf("%d %v %s", out.Code, h, out.text())
		}
		if h.Get("Content-Length") != "9" || h.Get("Cache-Control") != "no-store" || h.Get("Accept-Ranges") != "" {
			t.Errorf("%v", h)
		}
	}
	log := w.audit()
	if len(log) != 2 || log[0].Action != "backup.download" || log[0].Object != "links-20260301T040000Z.db" || log[0].Detail != "9 bytes" {
		t.Errorf("the audit has %+v", log)
	}
	if copies.closed != 2 {
		t.Errorf("%d of 2 copies are closed", copies.closed)
	}
}

func TestWhyThereIsNoBackup(t *testing.T) {
	for name, test := range map[string]struct {
		copies handlers.Backups
		code   string
	}{
		"the store is in memory":         {nil, "conflict"},
		"another is being downloaded":    {&backups{fails: broker.Errorf(broker.Busy, "one is")}, "conflict"},
		"the disk is full":               {&backups{fails: errDisk}, "store_failed"},
		"copying takes longer than ever": {&backups{wait: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newLiveWorld(t)
				w.config.Backups = test.copies
				w.listen()
				out := w.administer("GET", "/api/v1/backup")
				wantCode(t, out, test.code)
				if strings.Contains(out.text(), "/var/lib") {
					t.Errorf("it names files: %s", out.text())
				}
				if log := w.audit(); len(log) != 0 {
					t.Errorf("the audit has %+v", log)
				}
			})
		})
	}
}

// TestABackupThatBreaksOff is in the audit: a part of it is out. To its receiver it must not look whole.
func TestABackupThatBreaksOff(t *testing.T) {
	w := newWorld(t)
	w.config.Backups = &backups{breaks: true}
	w.listen()
	func() {
		defer func() {
			if p := recover(); p == nil {
				t.Error("the connection is not cut")
			}
		}()
		w.serve(w.admin, httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/backup", nil), as(adminKey))
	}()
	if log := w.audit(); len(log) != 1 || !strings.Contains(log[0].Detail, "may have been done") {
		t.Errorf("the audit has %+v", log)
	}
}

func TestWhoHangsUpEndsTheCopying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		ended := make(chan error, 1)
		w.config.Backups = &backups{wait: func(ctx context.Context) error {
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		}}
		w.listen()
		ctx, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, hangUp)
		w.serve(w.admin, httptest.NewRequestWithContext(ctx, "GET", "/api/v1/backup", nil), as(adminKey))
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if log := w.audit(); len(log) != 0 {
			t.Errorf("the audit has %+v", log)
		}
	})
}
