package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// clientsView is what clients.html shows.
type clientsView struct {
	a   *api
	ctx context.Context //nolint:containedctx // it lives as long as the request
	now time.Time
}

// clients answers GET /clients.
func (a *api) clients(c *gin.Context, who caller) error {
	return a.page(c, who, "clients", clientsView{a: a, ctx: c.Request.Context(), now: a.Clock()})
}

// clientRow is a client and how it fares today.
type clientRow struct {
	broker.Client

	State    string    // the end of a message, clients.state.STATE
	UsedAt   time.Time // of a client of the store, the latest of its keys
	Requests uint64    // today
	Spent    int64     // generations today that count against its budget
}

// Class is that of the pill that says the state.
func (r clientRow) Class() string {
	return map[string]string{"enabled": "good", "disabled": "bad", "expired": "warn"}[r.State]
}

// RoleClass is that of the pill that says the role.
func (r clientRow) RoleClass() string {
	return map[broker.Role]string{broker.RoleAdmin: "warn", broker.RoleGenerate: "info"}[r.Role]
}

// Budget is how many generations a day it may have; 0 = as many as the app.
func (r clientRow) Budget() int64 { return r.Grant.GenerationsPerDay }

// Whole and Parts are for a bar of the budget.
func (r clientRow) Whole() float64 { return float64(r.Budget()) }

// Parts are for the same.
func (r clientRow) Parts() []part {
	class := "used"
	switch {
	case r.Spent >= r.Budget():
		class = "full"
	case r.Spent*5 >= r.Budget()*4:
		class = "near"
	}
	return []part{{class, float64(r.Spent)}}
}

// Hints are how its keys begin.
func (r clientRow) Hints() (hints []string) {
	for _, key := range r.Keys {
		if key.Hint != "" {
			hints = append(hints, key.Hint+"…")
		}
	}
	return hints
}

// Clients are all there are, by name.
func (v clientsView) Clients() ([]clientRow, error) {
	var rows []clientRow
	for _, client := range v.a.Clients.List() {
		row, err := v.a.clientRow(v.ctx, client, v.now)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (a *api) clientRow(ctx context.Context, client broker.Client, now time.Time) (row clientRow, err error) {
	row = clientRow{Client: client, State: "expired"}
	switch {
	case client.Enabled(now):
		row.State = "enabled"
	case client.Disabled:
		row.State = "disabled"
	}
	for _, key := range client.Keys {
		row.UsedAt = maxTime(row.UsedAt, key.UsedAt)
	}
	today, err := a.history(ctx, broker.Daily, 1, now, broker.AskedBy+client.Name)
	if err != nil {
		return row, err
	}
	for _, n := range today[0].Counts {
		row.Requests += n
	}
	row.Spent, err = a.Broker.Spent(ctx, client)
	return row, err
}

// newClientForm answers GET /clients:new.
func (a *api) newClientForm(c *gin.Context, who caller) error {
	return a.page(c, who, "client-new", a.clientForm(formOfGrant(clientFields{Role: broker.RoleGenerate}, a.Pages.zone), nil))
}

// createClientForm answers POST /clients with the page of the new client, on which its key stands this once: not by way
// of another address, for which the key would have to be kept. Asked again, by a reload, the name is taken.
func (a *api) createClientForm(c *gin.Context, who caller) error {
	form, err := a.form(c)
	if err != nil {
		return err
	}
	name := form.Get("name")
	entryOf(c).Object = name
	fields, err := a.readClientForm(form, broker.Client{})
	var key string
	if err == nil {
		key, err = a.Clients.Create(c.Request.Context(), broker.Client{
			Name: name, Publishable: form.Has("publishable"), Role: fields.Role, ExpiresAt: fields.ExpiresAt, Grant: fields.Grant,
		}, a.Clock())
	}
	if err != nil {
		status, told, err := a.undone(c, err)
		if err != nil {
			return err
		}
		view := a.clientForm(form, told)
		_, view.Taken = a.Clients.ByName(name)
		return a.pageWithStatus(c, who, status, "client-new", view)
	}
	return a.showClientPage(c, who, http.StatusOK, name, key, nil)
}

// undone tells how a form of which nothing was done is shown again. Where nobody can say that, it gives the error back.
func (a *api) undone(c *gin.Context, err error) (status int, told *wrongView, _ error) {
	if mayBeDone(err) {
		return 0, nil, err
	}
	entryOf(c).Action = ""
	r, _ := judge(err)
	view := wrong(err, a.pageLanguage(c.Request))
	return r.status, &view, nil
}
