package broker

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// maxUnstored bounds the links kept in memory while the store cannot be written: about 40 MiB.
const maxUnstored = 1 << 16

// unstored holds links that WeChat made and the store could not take. They are answered from here, and Flush tries
// again.
type unstored struct {
	count atomic.Int64 // lets the hit path pass without the lock
	mu    sync.Mutex
	links map[Key]Link
}

func (u *unstored) get(key Key) (Link, bool) {
	if u.count.Load() == 0 {
		return Link{}, false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	link, ok := u.links[key]
	return link, ok
}

// byURL finds the link that has a URL.
func (u *unstored) byURL(url string) (Link, bool) {
	if u.count.Load() == 0 {
		return Link{}, false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, link := range u.links {
		if link.URL == url {
			return link, true
		}
	}
	return Link{}, false
}

// put keeps a link. It reports false if another had to make room.
func (u *unstored) put(link Link) (kept bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.links == nil {
		u.links = make(map[Key]Link)
	}
	kept = true
	if _, known := u.links[link.Key]; !known && len(u.links) >= maxUnstored {
		for key := range u.links {
			delete(u.links, key)
			kept = false
			break
		}
	}
	u.links[link.Key] = link
	u.count.Store(int64(len(u.links)))
	return kept
}

// pin pins a link that is kept, and reports whether there is one.
func (u *unstored) pin(key Key, pinned bool) bool {
	if u.count.Load() == 0 {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	link, ok := u.links[key]
	if ok {
		link.Pinned = pinned
		u.links[key] = link
	}
	return ok
}

func (u *unstored) forget(key Key) {
	if u.count.Load() == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.links, key)
	u.count.Store(int64(len(u.links)))
}

// stored forgets a link that the store has taken, but not a newer one that came meanwhile.
func (u *unstored) stored(link Link) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.links[link.Key].GeneratedAt.Equal(link.GeneratedAt) {
		delete(u.links, link.Key)
	}
	u.count.Store(int64(len(u.links)))
}

func (u *unstored) all() []Link {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Collect(maps.Values(u.links))
}
