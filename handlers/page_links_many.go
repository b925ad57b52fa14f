package handlers

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

const (
	// mostSelected is how many links a form may select: as many as a page shows.
	mostSelected = 500

	// maxSelection bounds the form in bytes; such a one with all its links takes a third.
	maxSelection = 64 << 10

	// selectedWidth is how many of them are worked on side by side.
	selectedWidth = 32

	// selectedPatience is how long a form goes on: what is not begun by then is reported, for somebody looks at a browser
	// that waits.
	selectedPatience = 10 * time.Second
)

// selection is a form that selects links.
type selection struct {
	keys []broker.Key // each once
	next string       // where to go on
}

// selection reads such a form.
func (a *api) selection(c *gin.Context) (s selection, err error) {
	data, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxSelection))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return s, broker.Errorf(tooLarge, "the form is larger than %d bytes", maxSelection)
	}
	form, malformedForm := url.ParseQuery(string(data))
	if err != nil || malformedForm != nil {
		return s, broker.Errorf(malformed, "the form is badly encoded, or was cut off")
	}
	for _, text := range form["key"] {
		key, err := broker.ParseKey(text)
		if err != nil {
			return s, err
		}
		if !slices.Contains(s.keys, key) {
			s.keys = append(s.keys, key)
		}
	}
	if len(s.keys) == 0 || len(s.keys) > mostSelected {
		return s, broker.Errorf(malformed, "select 1 to %d links", mostSelected)
	}
	s.next = form.Get("next")
	return s, nil
}

// The forms of the list answer POST /links:renew, :pin, :unpin and :delete.

func (a *api) renewSelected(c *gin.Context, who caller) error {
	return a.eachSelected(c, who, "links.renewed", a.renewKey)
}

func (a *api) pinSelected(c *gin.Context, who caller) error {
	return a.eachSelected(c, who, "links.pinned", a.pinKey(true))
}

func (a *api) unpinSelected(c *gin.Context, who caller) error {
	return a.eachSelected(c, who, "links.unpinned", a.pinKey(false))
}

func (a *api) deleteSelected(c *gin.Context, who caller) error {
	return a.eachSelected(c, who, "links.deleted", a.Broker.Delete)
}

func (a *api) renewKey(ctx context.Context, key broker.Key) error {
	_, err := a.Broker.Renew(ctx, key)
	return err
}

func (a *api) pinKey(pinned bool) func(context.Context, broker.Key) error {
	return func(ctx context.Context, key broker.Key) error {
		_, err := a.Broker.Pin(ctx, key, pinned)
		return err
	}
}

// eachSelected does the same to each link of a form, and says how many it was done to and why not to the others.
func (a *api) eachSelected(c *gin.Context, who caller, done string, do func(context.Context, broker.Key) error) error {
	s, err := a.selection(c)
	if err != nil {
		return err
	}
	failed := sideBySide(c.Request.Context(), s.keys, do)
	good := len(s.keys) - len(failed)
	entry := entryOf(c)
	switch {
	case good == 0 && !slices.ContainsFunc(failed, mayBeDone):
		entry.Action = ""
	case len(s.keys) == 1:
		entry.Object = s.keys[0].String()
	default:
		entry.Detail = strconv.Itoa(good) + " of " + strconv.Itoa(len(s.keys)) + " links"
	}
	switch {
	case len(failed) == 0:
		return a.goTo(c, who, s.next, flash{"good", done, []any{good}})
	case good == 0:
		return a.goTo(c, who, s.next, flash{"bad", "links.none", []any{len(failed), a.reasons(c, failed)}})
	default:
		return a.goTo(c, who, s.next, flash{"warn", "links.partly", []any{good, len(s.keys), a.reasons(c, failed)}})
	}
}

// sideBySide does something to each key, and gives the errors.
func sideBySide(ctx context.Context, keys []broker.Key, do func(context.Context, broker.Key) error) (failed []error) {
	ctx, cancel := context.WithTimeout(ctx, selectedPatience)
	defer cancel()
	var mu sync.Mutex
	var workers sync.WaitGroup
	queue := make(chan broker.Key)
	for range min(selectedWidth, len(keys)) {
		workers.Go(func() {
			for key := range queue {
				err := ctx.Err()
				if err == nil {
					err = guarded(func() error { return do(ctx, key) })
				}
				if err != nil {
					mu.Lock()
					failed = append(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, key := range keys {
		queue <- key
	}
	close(queue)
	workers.Wait()
	return failed
}

// reasons names what went wrong, each kind of error with its number and the most frequent first.
func (a *api) reasons(c *gin.Context, failed []error) string {
	texts := a.Pages.texts[a.pageLanguage(c.Request)]
	times := map[string]int{}
	for _, err := range failed {
		if _, ok := errors.AsType[*broker.Error](err); !ok && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
			times[texts.say("links.late")]++
			continue
		}
		v := wrong(err, texts.language)
		times[strings.TrimSpace(v.Title+" "+v.Detail)]++
	}
	var parts []string
	for _, reason := range slices.SortedFunc(maps.Keys(times), func(a, b string) int { return times[b] - times[a] }) {
		if times[reason] > 1 {
			reason += " (" + texts.number(times[reason]) + ")"
		}
		parts = append(parts, reason)
	}
	return strings.Join(parts, " · ")
}

// exportSelected answers POST /links:export with the links of a form as CSV.
func (a *api) exportSelected(c *gin.Context, _ caller) error {
	selected, err := a.selection(c)
	if err != nil {
		return err
	}
	s := a.stream(c)
	defer s.close()
	return export(s, c, formCSV, "links", linkColumns, func(yield func(linkRow, error) bool) {
		for _, key := range selected.keys {
			link, err := a.Broker.Link(s.ctx, key)
			if errors.Is(err, broker.NotFound) { // deleted since it was shown
				continue
			}
			if !yield(linkRowOf(link), err) {
				return
			}
		}
	})
}
