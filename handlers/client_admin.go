package handlers

import (
	"bytes"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"linkbroker/broker"
)

// clientFields are what an administrator says of a client, and may change.
type clientFields struct {
	Role      broker.Role `json:"role"`
	ExpiresAt time.Time   `json:"expires_at,omitzero"`
	broker.Grant
}

// clientView is a client as an administrator sees it. It shows no key, and no digest of one, which could sign.
type clientView struct {
	Name        string `json:"name"`
	Publishable bool   `json:"publishable"`
	Configured  bool   `json:"configured"` // it stands in the configuration and is changed there
	Enabled     bool   `json:"enabled"`    // it may ask at present
	Disabled    bool   `json:"disabled"`
	clientFields
	CreatedAt        time.Time `json:"created_at,omitzero"`
	Keys             []keyView `json:"keys"`
	GenerationsToday int64     `json:"generations_today"` // that count against generations_per_day
}

type keyView struct {
	Hint      string    `json:"hint,omitempty"` // how it begins
	CreatedAt time.Time `json:"created_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	UsedAt    time.Time `json:"used_at,omitzero"`
}

func (a *api) viewClient(c *gin.Context, client broker.Client) (clientView, error) {
	spent, err := a.Broker.Spent(c.Request.Context(), client)
	v := clientView{
		Name: client.Name, Publishable: client.Publishable, Configured: client.Configured(),
		Enabled: client.Enabled(a.Clock()), Disabled: client.Disabled,
		clientFields: clientFields{Role: client.Role, ExpiresAt: utc(client.ExpiresAt), Grant: client.Grant},
		CreatedAt:    utc(client.CreatedAt), Keys: []keyView{}, GenerationsToday: spent,
	}
	for _, k := range client.Keys {
		v.Keys = append(v.Keys, keyView{k.Hint, utc(k.CreatedAt), utc(k.ExpiresAt), utc(k.UsedAt)})
	}
	return v, err
}

// listClients answers GET /api/v1/clients.
func (a *api) listClients(c *gin.Context, _ caller) error {
	items := []clientView{}
	for _, client := range a.Clients.List() {
		v, err := a.viewClient(c, client)
		if err != nil {
			return err
		}
		items = append(items, v)
	}
	writeItems(c, items)
	return nil
}

// showClient answers GET /api/v1/clients/{name}.
func (a *api) showClient(c *gin.Context, _ caller) error {
	return a.writeClient(c, http.StatusOK, c.Param("name"), "")
}

// createClient answers POST /api/v1/clients. Its answer is the one that ever has the key.
func (a *api) createClient(c *gin.Context, _ caller) error {
	var in struct {
		Name        string `json:"name"`
		Publishable bool   `json:"publishable"`
		clientFields
	}
	err := a.bodies.read(c.Request, func(data []byte) error { return decode(data, &in, json.RejectUnknownMembers(true)) })
	if err != nil {
		return err
	}
	key, err := a.Clients.Create(c.Request.Context(), broker.Client{
		Name: in.Name, Publishable: in.Publishable, Role: in.Role, ExpiresAt: in.ExpiresAt, Grant: in.Grant,
	}, a.Clock())
	if err != nil {
		return err
	}
	entryOf(c).Object = in.Name
	c.Writer.Header().Set("Location", "/api/v1/clients/"+in.Name)
	return a.writeClient(c, http.StatusCreated, in.Name, key)
}

// updateClient answers PATCH /api/v1/clients/{name}, as RFC 7396 has it: what is absent stays, null takes away.
func (a *api) updateClient(c *gin.Context, _ caller) error {
	when, err := preconditionOf(c.Request)
	if err != nil {
		return err
	}
	return a.bodies.read(c.Request, func(data []byte) error {
		return a.changeClient(c, func(client *broker.Client) error {
			if err := unchanged(*client, when.Match); err != nil {
				return err
			}
			fields, err := copyOf(clientFields{Role: client.Role, ExpiresAt: client.ExpiresAt, Grant: client.Grant})
			if err != nil {
				return err
			}
			if err := decode(data, &fields, json.RejectUnknownMembers(true)); err != nil {
				return err
			}
			client.Role, client.ExpiresAt, client.Grant = fields.Role, fields.ExpiresAt, fields.Grant
			return nil
		})
	})
}

// unchanged refuses a change of a client that somebody else has changed since its asker saw it; empty and * hold for all.
func unchanged(client broker.Client, seen string) error {
	if seen == "" || seen == "*" || seen == client.ETag() {
		return nil
	}
	return broker.Errorf(broker.PreconditionFailed, "the client was changed meanwhile: read it again")
}

// copyOf gives a copy that shares no list: decoding writes into what is there, and requests are reading it.
func copyOf(fields clientFields) (clone clientFields, err error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return clone, err
	}
	return clone, json.Unmarshal(text, &clone)
}

// disableClient answers POST /api/v1/clients/{name}:disable.
func (a *api) disableClient(c *gin.Context, _ caller) error { return a.setDisabled(c, true) }

// enableClient answers POST /api/v1/clients/{name}:enable.
func (a *api) enableClient(c *gin.Context, _ caller) error { return a.setDisabled(c, false) }

func (a *api) setDisabled(c *gin.Context, disabled bool) error {
	return a.changeClient(c, func(client *broker.Client) error {
		client.Disabled = disabled
		return nil
	})
}

func (a *api) changeClient(c *gin.Context, change func(*broker.Client) error) error {
	if err := a.Clients.Update(c.Request.Context(), c.Param("name"), change); err != nil {
		return err
	}
	return a.writeClient(c, http.StatusOK, c.Param("name"), "")
}

// deleteClient answers DELETE /api/v1/clients/{name}.
func (a *api) deleteClient(c *gin.Context, _ caller) error {
	if err := a.Clients.Delete(c.Request.Context(), c.Param("name")); err != nil {
		return err
	}
	c.Writer.WriteHeader(http.StatusNoContent)
	return nil
}

// defaultOverlap is how long a key still works beside the one that follows it, if nothing else is asked.
const defaultOverlap = 24 * time.Hour

// rotateClient answers POST /api/v1/clients/{name}:rotate. Its answer is the one that ever has the new key.
func (a *api) rotateClient(c *gin.Context, _ caller) error {
	var in struct {
		Overlap string `json:"overlap"`
	}
	err := a.bodies.read(c.Request, func(data []byte) error {
		if len(bytes.TrimSpace(data)) == 0 {
			return nil
		}
		return decode(data, &in, json.RejectUnknownMembers(true))
	})
	if err != nil {
		return err
	}
	overlap := defaultOverlap
	if in.Overlap != "" {
		if overlap, err = time.ParseDuration(in.Overlap); err != nil {
			return broker.Errorf(malformed, `overlap must be a length of time such as "24h" or "0s"`)
		}
	}
	key, err := a.Clients.Rotate(c.Request.Context(), c.Param("name"), "", overlap, a.Clock())
	if err != nil {
		return err
	}
	return a.writeClient(c, http.StatusOK, c.Param("name"), key)
}

// writeClient shows a client, and beside it a key that was made just now.
func (a *api) writeClient(c *gin.Context, status int, name, key string) error {
	client, ok := a.Clients.ByName(name)
	if !ok {
		return broker.Errorf(broker.NotFound, "no client is named %q", name)
	}
	v, err := a.viewClient(c, client)
	if err != nil && key == "" {
		return err // a key must be told even where its budget cannot be
	}
	c.Writer.Header().Set("ETag", quoted(client.ETag()))
	writeJSON(c, status, struct {
		clientView
		Key string `json:"key,omitempty"`
	}{v, key})
	return nil
}
