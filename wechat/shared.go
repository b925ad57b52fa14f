package wechat

import (
	"context"
	"time"

	"linkbroker/broker"
)

// sharedToken has one token fetched for all brokers on a store: by the one who has the turn, and the others take what it
// has kept.
type sharedToken struct {
	tokenSource

	app   App
	clock broker.Clock
	last  token // that this process was given; the keeper fetches one at a time
}

// turnPatience bounds how long another broker is waited for: longer than one that has died keeps its turn.
const turnPatience = 5 * time.Second

func (s *sharedToken) fetch(ctx context.Context, force bool) (token, error) {
	tok, err := s.share(ctx, force)
	if err == nil {
		s.last = tok
	}
	return tok, err
}

func (s *sharedToken) share(ctx context.Context, force bool) (token, error) {
	waiting, cancel := context.WithTimeout(ctx, turnPatience)
	defer cancel()
	for {
		if tok, ok := s.newer(ctx, force); ok {
			return tok, nil
		}
		turn, err := s.app.Leases.Lease(waiting, "token/"+s.app.ID)
		switch {
		case err != nil: // nobody knows who else fetches, and without a token there are no links
			return s.tokenSource.fetch(ctx, force)
		case turn.Leave != nil:
			return s.inTurn(ctx, turn, force)
		}
		select {
		case <-turn.Over:
		case <-waiting.Done():
			if s.app.Token == TokenStable && !force { // which ends nobody's token
				return s.tokenSource.fetch(ctx, force)
			}
			return token{}, unspent(broker.Unavailable, "another broker fetches the access token, and has not ended in time")
		}
	}
}

// inTurn fetches a token, unless the broker before has.
func (s *sharedToken) inTurn(ctx context.Context, turn broker.Turn, force bool) (token, error) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepPatience)
		defer cancel()
		turn.Leave(ctx, broker.Note{})
	}()
	if tok, ok := s.newer(ctx, force); ok {
		return tok, nil
	}
	return s.tokenSource.fetch(ctx, force)
}

// newer gives the token that is kept, if another broker has fetched it since this one was given its last: that one is asked
// for again only when it has to be renewed or is dead. WeChat may have given the other the same one anew, with more life;
// not so if it is to be replaced by force.
func (s *sharedToken) newer(ctx context.Context, force bool) (token, bool) {
	kept, ok := s.app.keptToken(ctx)
	other := kept.value != s.last.value || !force && kept.fetchedAt.After(s.last.fetchedAt)
	return kept, ok && other && s.clock().Before(kept.renewAt)
}
