package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/redis/rueidis"
	bolt "go.etcd.io/bbolt"
)

// Access is what is done with a store that is moved.
type Access int

// The kinds of access.
const (
	Read Access = iota // it must be there, and none of its records is changed
	Fill               // it is made if it is not there
)

// OpenMigration opens a store to move from and one to move to, or to compare the two. Without the second the migration can
// only count. A file must be closed to all others, and a store in Redis must have no broker, unless Options say so.
func OpenMigration(ctx context.Context, from, to string, access Access, opts MigrationOptions) (*Migration, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if from == to {
		return nil, errors.New("the store to move from and the one to move to are the same")
	}
	m := &Migration{clock: opts.Clock, log: opts.Logger, progress: opts.Progress, bite: moveBite}
	var err error
	if m.from, err = openMovable(ctx, from, Read, opts); err != nil {
		return nil, fmt.Errorf("opening the store to move from: %w", err)
	}
	if to == "" {
		return m, nil
	}
	if m.to, err = openMovable(ctx, to, access, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store to move to: %w", err), m.from.Close())
	}
	return m, nil
}

// MigrationOptions are what a migration needs beside its URLs.
type MigrationOptions struct {
	Options

	InUse    bool           // stores may be in use: what is changed meanwhile may be missed
	Progress func(Progress) // is told now and then; required
}

func openMovable(ctx context.Context, url string, access Access, opts MigrationOptions) (movable, error) {
	scheme, path, _ := strings.Cut(url, "://")
	switch {
	case isRedis(scheme):
		return moveRedis(ctx, url, access, opts)
	case scheme == "bolt" && path != "" && access == Fill:
		return fillBolt(ctx, path, opts.Options)
	case scheme == "bolt" && path != "":
		return readBolt(ctx, path, opts.Options)
	case scheme == "memory":
		return nil, errors.New("a store at memory:// lasts as long as its broker")
	default:
		return nil, errUnknownURL
	}
}

// readBolt opens a file for nothing but to be read.
func readBolt(ctx context.Context, path string, opts Options) (*Bolt, error) {
	if err := opts.Probe(ctx, Quick, path); err != nil {
		return nil, err
	}
	db, err := openFile(path, true)
	if err != nil {
		return nil, err
	}
	b := newBolt(db, opts.Logger)
	if err := b.ready(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// ready refuses what does not tell the truth about what was spent.
func (b *Bolt) ready(ctx context.Context) error {
	if err := whole(ctx, b); err != nil {
		return err
	}
	restored, err := b.restored()
	if err == nil && restored {
		err = errors.New("it was restored from a backup, of which the next start draws the consequences: start a broker on it once")
	}
	return err
}

// whole refuses a store that holds the beginning of a migration.
func whole(ctx context.Context, store movable) error {
	mark, err := store.mark(ctx)
	if err == nil && mark != nil {
		err = ErrHalfMoved
	}
	return err
}

// fillBolt opens a file that is to be filled. A damaged one is not replaced, as Open would do.
func fillBolt(ctx context.Context, path string, opts Options) (*Bolt, error) {
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		if err := makeFile(path, false, func(db *bolt.DB) error { return db.Update(layOut) }); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		if err := opts.Probe(ctx, Quick, path); err != nil {
			return nil, err
		}
	}
	return openBolt(path, opts.Logger)
}

// moveRedis opens a store in Redis, once it is seen that no broker uses it.
func moveRedis(ctx context.Context, url string, access Access, opts MigrationOptions) (*redisRecords, error) {
	place, err := parseRedisURL(url)
	if err != nil {
		return nil, err
	}
	users, there, err := surveyRedis(ctx, place)
	switch {
	case err != nil:
		return nil, err
	case users > 0 && !opts.InUse:
		return nil, fmt.Errorf("%w (it has %d connections of brokers)", ErrInUse, users)
	case !there && access == Read:
		return nil, fmt.Errorf("there is no store with the prefix %q: is it the right server, database and prefix?", place.prefix)
	}
	r, err := openRedis(ctx, url, opts.Options)
	if err != nil {
		return nil, err
	}
	records := newRedisRecords(r)
	if access == Fill {
		return records, nil
	}
	if err := whole(ctx, records); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return records, nil
}

// surveyRedis counts the connections of those who use a store in Redis, over a connection of another name, and says whether
// it is there. Of connections that a server does not tell of it knows nothing.
func surveyRedis(ctx context.Context, place redisPlace) (users int, there bool, err error) {
	option := place.connection()
	option.ClientName = "linkbroker-migrate"
	client, err := rueidis.NewClient(option)
	if err != nil {
		return 0, false, place.notConnected(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*place.timeout)
	defer cancel()
	for _, node := range client.Nodes() {
		clients, err := node.Do(ctx, node.B().ClientList().Build()).ToString()
		if _, refused := rueidis.IsRedisErr(err); err != nil && !refused {
			return 0, false, failed("asking Redis who uses it", unsecret(err, place))
		}
		users += strings.Count(clients, " name="+place.clientName()+" ")
	}
	there, err = client.Do(ctx, client.B().Exists().Key(place.prefix+":"+redisMeta).Build()).AsBool()
	return users, there, failed("asking Redis whether the store is there", err)
}
