package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// redisPlace is where a store in Redis is, and how it is used.
type redisPlace struct {
	option   rueidis.ClientOption
	prefix   string
	replicas int64
	timeout  time.Duration
}

// Defaults of a URL.
const (
	redisPrefix  = "linkbroker"
	redisTimeout = time.Second
)

// redisSettings are those of a URL that are ours; what else may stand in one is rueidis'.
var redisSettings = []string{"prefix", "replicas", "timeout", "addr", "master_set", "db"}

var redisPrefixForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`)

// parseRedisURL reads the URL of a store:
//
//	redis://user:password@host:6379/0           a server; rediss:// with TLS
//	redis://…?addr=host2:6379&addr=host3:6379   further servers of a Cluster, or of Sentinels
//	redis://…?master_set=mymaster               Sentinels, and the name under which they watch the server
//	redis://…?prefix=linkbroker                 what every key begins with
//	redis://…?replicas=1                        how many replicas must have what is written; 0 = none
//	redis://…?timeout=1s                        how long one command may take
//
// No error repeats anything of the URL: where a password is not escaped, any part may be one of it.
func parseRedisURL(text string) (redisPlace, error) {
	u, err := url.Parse(text)
	if err != nil || u.Fragment != "" {
		return redisPlace{}, errors.New("the store's URL cannot be read: is something in the password to be escaped, as in %40 for @?")
	}
	if err := checkAuthority(u); err != nil {
		return redisPlace{}, err
	}
	settings, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return redisPlace{}, errors.New("the settings behind the ? of the store's URL cannot be read")
	}
	place := redisPlace{prefix: redisPrefix, timeout: redisTimeout}
	for name, values := range settings {
		if err := place.set(name, values); err != nil {
			return redisPlace{}, err
		}
	}
	if place.option, err = rueidis.ParseURL(text); err != nil {
		return redisPlace{}, errors.New("the store's URL cannot be read: it is redis://user:password@host:port/database")
	}
	return place, nil
}

// checkAuthority refuses a password that stands where a user's name is expected, and from where it would be shown.
func checkAuthority(u *url.URL) error {
	if u.Hostname() == "" {
		return errors.New("the store's URL names no host: it is redis://user:password@host:port/database")
	}
	if u.User != nil {
		if password, _ := u.User.Password(); password == "" {
			return errors.New("the store's URL has a user without a password: a password goes behind a colon: redis://:password@host")
		}
	}
	return nil
}

// checkAddr reads the address of a further server, which has no user and no password of its own.
func checkAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if _, notPort := strconv.ParseUint(port, 10, 16); err != nil || notPort != nil || host == "" || strings.ContainsAny(host, "@/") {
		return errors.New("the store's addr is host:port of a further server; user and password stand before the first host and hold for all")
	}
	return nil
}

func (p *redisPlace) set(name string, values []string) (err error) {
	if len(values) > 1 && name != "addr" && slices.Contains(redisSettings, name) {
		return fmt.Errorf("the store's %s is given twice", name)
	}
	value := values[0]
	switch name {
	case "prefix":
		if p.prefix = value; !redisPrefixForm.MatchString(value) {
			return errors.New("the store's prefix has 1 to 32 characters out of A-Z a-z 0-9 . _ -")
		}
	case "replicas":
		if p.replicas, err = strconv.ParseInt(value, 10, 8); err != nil || p.replicas < 0 {
			return errors.New("the store's replicas is how many replicas must have what is written: a number from 0 to 127")
		}
	case "timeout":
		if p.timeout, err = time.ParseDuration(value); err != nil || p.timeout < 10*time.Millisecond || p.timeout > time.Minute {
			return errors.New("the store's timeout is how long one command may take, from 10ms to 1m")
		}
	case "addr":
		for _, addr := range values {
			if err := checkAddr(addr); err != nil {
				return err
			}
		}
	case "master_set":
		if value == "" {
			return errors.New("the store's master_set is empty: it is the name under which Sentinels watch the server")
		}
	case "skip_verify":
		return errors.New("the store's skip_verify cannot be had: a certificate is always checked. SSL_CERT_FILE names the authorities")
	case "db":
	default:
		return fmt.Errorf("the store's URL has a setting that is not known: known are %s", strings.Join(redisSettings, ", "))
	}
	return nil
}

// clientName is what the connections of those who use the store are called.
func (p redisPlace) clientName() string { return "linkbroker:" + p.prefix }

// connection says how a client connects. All it changes in the URL's options is what a store cannot do without.
func (p redisPlace) connection() rueidis.ClientOption {
	option := p.option
	option.ClientName = p.clientName()
	option.ConnWriteTimeout = p.timeout
	option.Dialer.Timeout = p.timeout
	return option
}

// notConnected says in words of ours why no client came about: the library's are about its own options, or name no reason at all.
func (p redisPlace) notConnected(err error) error {
	var reason error
	refused, _, _ := strings.Cut(err.Error(), ": [") // behind it stands the command
	switch late, ok := errors.AsType[net.Error](err); {
	case strings.HasPrefix(refused, "NOAUTH"), strings.HasPrefix(refused, "WRONGPASS"):
		reason = errors.New("the server refuses the user or the password, or there is none in the store's URL")
	case strings.HasPrefix(refused, "LOADING"):
		reason = errors.New("the server still reads its file, and answers nothing until then")
	case errors.Is(err, io.EOF):
		reason = errors.New("the server closed the connection: is the user or the password wrong, or does it want TLS (rediss://)?")
	case errors.Is(err, context.DeadlineExceeded), ok && late.Timeout():
		reason = fmt.Errorf("no answer within %s (timeout=): does the server run, and does it speak TLS if it is to (rediss://)?", p.timeout)
	case err.Error() == rueidis.ErrNoCache.Error():
		reason = errors.New("the server does not speak RESP3, as Redis and Valkey do")
	case errors.Is(err, rueidis.ErrNoCache):
		reason = fmt.Errorf("the server refuses what a broker needs: %s", refused)
	default:
		reason = err
	}
	return failed("connecting to Redis", unsecret(reason, p))
}

// unsecret takes the password out of an error.
func unsecret(err error, place redisPlace) error {
	if secret := place.option.Password; secret != "" && strings.Contains(err.Error(), secret) {
		return errors.New(strings.ReplaceAll(err.Error(), secret, "***"))
	}
	return err
}
