package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/singleflight"
)

// link is one as it is stored and answered.
type link struct {
	URL         string    `json:"url"`
	Path        string    `json:"path"`
	Query       string    `json:"query"`
	GeneratedAt time.Time `json:"generated_at"`
	ExpiresAt   time.Time `json:"expires_at"`
}

var errNotFound = errors.New("not found")

// store is where links are kept. Get gives errNotFound for one it does not have.
type store interface {
	Get(ctx context.Context, key []byte) (link, error)
	Put(ctx context.Context, key []byte, l link) error
}

// service is the afternoon version of linkbroker: look up, else ask WeChat and keep what it says.
type service struct {
	links    store
	upstream string
	client   *http.Client
	flights  singleflight.Group
}

func newService(links store, upstream string) *service {
	return &service{links: links, upstream: upstream, client: &http.Client{
		Timeout:   4 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
}

func (s *service) routes() http.Handler {
	e := gin.New()
	e.Use(gin.Recovery())
	e.POST("/api/v1/links", func(c *gin.Context) {
		s.answer(c, func(l link) any { return l })
	})
	e.POST("/wxa/generate_urllink", func(c *gin.Context) {
		s.answer(c, func(l link) any { return gin.H{"errcode": 0, "errmsg": "ok", "url_link": l.URL} })
	})
	return e
}

// linkRequest is what clients ask.
type linkRequest struct {
	Path       string `json:"path"`
	Query      string `json:"query"`
	EnvVersion string `json:"env_version"`
}

// key is the same for equal requests.
func (r linkRequest) key() []byte {
	sum := sha256.Sum256([]byte(r.Path + "\x00" + r.Query + "\x00" + r.EnvVersion))
	return sum[:]
}

func (s *service) answer(c *gin.Context, render func(link) any) {
	var req linkRequest
	if err := c.ShouldBindJSON(&req); err != nil {
		c.JSON(http.StatusBadRequest, gin.H{"error": err.Error()})
		return
	}
	req.Path = strings.TrimPrefix(req.Path, "/")
	l, err := s.get(c.Request.Context(), req)
	if err != nil {
		c.JSON(http.StatusBadGateway, gin.H{"error": err.Error()})
		return
	}
	c.JSON(http.StatusOK, render(l))
}

func (s *service) get(ctx context.Context, req linkRequest) (link, error) {
	key := req.key()
	l, err := s.links.Get(ctx, key)
	if err == nil && time.Now().Before(l.ExpiresAt) {
		return l, nil
	}
	if err != nil && !errors.Is(err, errNotFound) {
		return link{}, err
	}
	made, err, _ := s.flights.Do(string(key), func() (any, error) {
		l, err := s.generate(context.WithoutCancel(ctx), req)
		if err != nil {
			return link{}, err
		}
		return l, s.links.Put(context.WithoutCancel(ctx), key, l)
	})
	l, _ = made.(link)
	return l, err
}

// generate asks WeChat.
func (s *service) generate(ctx context.Context, req linkRequest) (link, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return link{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.upstream+"/wxa/generate_urllink", bytes.NewReader(body))
	if err != nil {
		return link{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(r)
	if err != nil {
		return link{}, err
	}
	defer resp.Body.Close()
	var answer struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
		URLLink string `json:"url_link"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return link{}, err
	}
	if answer.ErrCode != 0 {
		return link{}, fmt.Errorf("WeChat answered %d %s", answer.ErrCode, answer.ErrMsg)
	}
	now := time.Now().UTC().Truncate(time.Second)
	return link{URL: answer.URLLink, Path: req.Path, Query: req.Query, GeneratedAt: now, ExpiresAt: now.Add(30*24*time.Hour - time.Minute)}, nil
}
