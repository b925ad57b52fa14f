package handlers

import (
	"context"
	"errors"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// The forms of a link answer POST /links/{key}:renew, :pin, :unpin, :verify and :delete.

func (a *api) renewForm(c *gin.Context, who caller) error {
	return a.linkForm(c, who, func(ctx context.Context, key broker.Key) (flash, error) {
		return flash{"good", "link.renewed", nil}, a.renewKey(ctx, key)
	})
}

func (a *api) pinForm(c *gin.Context, who caller) error {
	return a.linkForm(c, who, func(ctx context.Context, key broker.Key) (flash, error) {
		return flash{"good", "link.pinned", nil}, a.pinKey(true)(ctx, key)
	})
}

func (a *api) unpinForm(c *gin.Context, who caller) error {
	return a.linkForm(c, who, func(ctx context.Context, key broker.Key) (flash, error) {
		return flash{"good", "link.unpinned", nil}, a.pinKey(false)(ctx, key)
	})
}

func (a *api) verifyForm(c *gin.Context, who caller) error {
	return a.linkForm(c, who, func(ctx context.Context, key broker.Key) (flash, error) {
		done, err := a.Broker.Verify(ctx, key)
		kind := "good"
		if done.Verdict != broker.Confirmed {
			kind = "warn"
		}
		return flash{kind, "verdict." + string(done.Verdict), nil}, err
	})
}

// deleteForm leads back to the list: there is no link any more.
func (a *api) deleteForm(c *gin.Context, who caller) error {
	return a.withKey(c, func(key broker.Key) error {
		if err := a.Broker.Delete(c.Request.Context(), key); err != nil {
			return err
		}
		return a.goTo(c, who, "/links", flash{"good", "links.deleted", []any{1}})
	})
}

// linkForm does something to a link, and shows it again with how that went. What fails is told there as well: the link
// is what the administrator wants to look at next.
func (a *api) linkForm(c *gin.Context, who caller, do func(context.Context, broker.Key) (flash, error)) error {
	return a.withKey(c, func(key broker.Key) error {
		told, err := do(c.Request.Context(), key)
		switch {
		case errors.Is(err, broker.NotFound):
			return err
		case err != nil:
			told = a.toldWrong(c, err)
		}
		return a.goTo(c, who, "/links/"+key.String(), told)
	})
}

// toldWrong is how a form tells on the next page what went wrong. In the audit it is only noted if it may have been done.
func (a *api) toldWrong(c *gin.Context, err error) flash {
	entry := entryOf(c)
	entry.Detail = "it may have been done: " + string(broker.CodeOf(err))
	if !mayBeDone(err) {
		entry.Action = ""
	}
	v := wrong(err, a.pageLanguage(c.Request))
	return flash{"bad", "link.failed", []any{v.Title, v.Remedy, v.Detail}}
}
