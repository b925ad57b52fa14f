package handlers

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// Backups are copies of a store that has a file.
type Backups interface {
	// List gives those that are kept, the newest first.
	List() ([]Backup, error)

	// Fresh copies the store as it is, which may take minutes. Whoever has read the copy closes it, and it is gone. There
	// is one such copy at a time; while it is read, a further one is Busy.
	Fresh(ctx context.Context) (io.ReadCloser, Backup, error)
}

// Backup is one copy.
type Backup struct {
	Name  string // of a file
	At    time.Time
	Bytes int64
}

// copyPatience is how long copying a store may take: some thirty times as long as one of 15 million links does.
const copyPatience = 15 * time.Minute

//nolint:gochecknoglobals // a constant that Go has no constants for
var contentFile = []string{"application/octet-stream"}

// downloadBackup answers GET /api/v1/backup with a copy of the store that is made for it. It is sent when it is whole. A
// part of it cannot be asked for: the next copy would be another, and both together a broken one.
func (a *api) downloadBackup(c *gin.Context, _ caller) error {
	if a.Backups == nil {
		return errNoBackups()
	}
	s := a.stream(c)
	defer s.close()
	ctx, cancel := context.WithTimeout(s.ctx, copyPatience)
	defer cancel()
	file, backup, err := a.Backups.Fresh(ctx)
	if err != nil {
		entryOf(c).Action = "" // nothing of it is out
		return whyNoCopy(ctx, err)
	}
	defer file.Close()
	entryOf(c).Object, entryOf(c).Detail = backup.Name, strconv.FormatInt(backup.Bytes, 10)+" bytes"
	h := c.Writer.Header()
	h.Set("Content-Disposition", `attachment; filename="`+backup.Name+`"`)
	h.Set("Content-Length", strconv.FormatInt(backup.Bytes, 10))
	s.open(contentFile)
	if _, err := io.Copy(s, file); err != nil {
		return broker.Errorf(broker.Unavailable, "the copy was not sent to its end: %w", err) // what was sent is out
	}
	return nil
}

func whyNoCopy(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, broker.Busy):
		return broker.Errorf(broker.Conflict, "%w", err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return broker.Errorf(broker.Unavailable, "copying the store took longer than %s", copyPatience)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return broker.Errorf(broker.StoreFailed, "copying the store: %w", err)
	}
}

func errNoBackups() error {
	return broker.Errorf(broker.Conflict, "the store is not kept in a file that could be copied: only one at bolt:// is")
}
