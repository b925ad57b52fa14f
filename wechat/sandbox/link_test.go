package sandbox_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"linkbroker/wechat/sandbox"
)

// blobs is a State in memory, which can be full.
type blobs struct {
	mu     sync.Mutex
	values map[string][]byte
	full   bool
}

func (b *blobs) Blob(_ context.Context, name string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if value, ok := b.values[name]; ok {
		return value, nil
	}
	return nil, errors.New("no such blob")
}

func (b *blobs) PutBlob(_ context.Context, name string, value []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full {
		return errors.New("disk full")
	}
	b.values[name] = value
	return nil
}

func TestARestartForgetsNeitherLinksNorQuota(t *testing.T) {
	state := &blobs{values: map[string][]byte{}}
	small := shop
	small.DailyQuota = 3
	cfg := sandbox.Config{Apps: []sandbox.App{small}, State: state}

	before := serve(t, cfg)
	made := before.generate(before.token(), `{"path":"pages/item","query":"id=7"}`)
	before.generate(before.token(), `{}`)

	after := serve(t, cfg)
	token := after.token()
	if got := after.query(token, made.URLLink); got.Info.Query != "id=7" {
		t.Errorf("the link of before: %+v", got)
	}
	if used := after.wechat.Stats().UsedToday["wxshop"]; used != 2 {
		t.Errorf("%d links count for today, want 2", used)
	}
	after.generate(token, `{}`)
	if got := after.generate(token, `{}`); got.ErrCode != 44993 {
		t.Errorf("the fourth link of the day: %+v, want 44993", got)
	}
}

func TestOnlyTheNewestLinksAreRemembered(t *testing.T) {
	state := &blobs{values: map[string][]byte{}}
	cfg := sandbox.Config{State: state, MaxLinks: 3}
	s := serve(t, cfg)
	token := s.token()
	var made []string
	for range 5 {
		made = append(made, s.generate(token, `{}`).URLLink)
	}
	if len(state.values) != 3 {
		t.Errorf("%d links are kept, want 3", len(state.values))
	}
	for _, s := range []*server{s, serve(t, cfg)} {
		token := s.token()
		for i, link := range made {
			want := 0
			if i < 2 {
				want = 85403
			}
			if got := s.query(token, link); got.ErrCode != want {
				t.Errorf("link %d of 5: errcode %d, want %d", i+1, got.ErrCode, want)
			}
		}
	}
}

func TestAStateThatCannotBeWrittenCostsNobodyALink(t *testing.T) {
	s := serve(t, sandbox.Config{State: &blobs{full: true}})
	token := s.token()
	made := s.generate(token, `{}`)
	if made.ErrCode != 0 || s.query(token, made.URLLink).ErrCode != 0 {
		t.Errorf("got %+v", made)
	}
	if failures := s.wechat.Stats().StateFailures; failures != 1 {
		t.Errorf("%d failures were counted, want 1", failures)
	}
}

func TestADamagedStateIsPassedOver(t *testing.T) {
	state := &blobs{values: map[string][]byte{"sandbox-link-0001": []byte(`{"number":`), "sandbox-link-0002": []byte(`{"number":7}`)}}
	s := serve(t, sandbox.Config{State: state, MaxLinks: 4})
	if got := s.generate(s.token(), `{}`); got.ErrCode != 0 {
		t.Errorf("got %+v", got)
	}
}
