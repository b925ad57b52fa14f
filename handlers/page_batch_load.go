package handlers

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"unicode"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// mostSheet bounds the file of a batch, in bytes.
const mostSheet = 32 << 20

// receiveBatch reads the form with a file, or with its text, and puts that aside. A file whose header is none is refused.
func (a *api) receiveBatch(c *gin.Context, who caller) (job *batchJob, err error) {
	media, params, err := mime.ParseMediaType(c.Request.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" {
		return nil, broker.Errorf(malformed, "the form has to be multipart/form-data")
	}
	s := a.stream(c) // a large file takes longer than a form may
	defer s.close()
	job = &batchJob{api: a, who: who}
	defer func() {
		if err != nil && job.input != nil {
			job.input.discard()
		}
	}()
	parts := multipart.NewReader(s, params["boundary"])
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = job.receive(part)
		}
		if _, known := errors.AsType[*broker.Error](err); err != nil && !known {
			err = broker.Errorf(malformed, "the form did not arrive whole")
		}
		if err != nil {
			return job, err
		}
	}
	if job.input == nil {
		return job, broker.Errorf(emptyBody, "there is nothing in it: choose a file, or paste its text")
	}
	if job.app != "" {
		if job.app, err = a.chooseApp(who, job.app); err != nil {
			return job, err
		}
	}
	content, done := job.input.open()
	defer done()
	_, err = openSheet(content)
	return job, err
}

// receive reads a field of the form. Of file and text the first that is not empty counts.
func (j *batchJob) receive(part *multipart.Part) error {
	switch part.FormName() {
	case "app":
		app, err := io.ReadAll(io.LimitReader(part, 128))
		j.app = string(app)
		return err
	case "file", "text":
		if j.input != nil {
			return nil
		}
		input, err := newSpool(j.api.BatchDesk.folder)
		if err != nil {
			return errNoRoom(err)
		}
		n, err := io.Copy(input, io.LimitReader(part, mostSheet+1))
		switch {
		case n > mostSheet:
			err = broker.Errorf(tooLarge, "the file is larger than %d MiB: take it apart", mostSheet>>20)
		case err == nil && n > 0:
			j.input, j.name = input, cmp.Or(fileName(part.FileName()), "…")
			return nil
		}
		input.discard()
		return err
	}
	return nil
}

// fileName is how a file is called on the page and in the audit.
func fileName(name string) string {
	const most = 80
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most-1]) + "…"
	}
	return name
}
