package cache

import (
	"context"

	"github.com/redis/rueidis"
)

// call is one run of a script among several.
type call struct{ keys, args []string }

// doAll runs commands that change nothing, in one round trip to each server.
func (r *Redis) doAll(ctx context.Context, commands []rueidis.Completed) []rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	return r.client.DoMulti(ctx, commands...)
}

// runEach has Redis run a script many times, each by itself.
func (r *Redis) runEach(ctx context.Context, s script, calls []call) []rueidis.RedisResult {
	results := make([]rueidis.RedisResult, 0, len(calls))
	for len(calls) > 0 {
		page := calls[:min(len(calls), pageSize)]
		results = append(results, r.runPage(ctx, s, page)...)
		calls = calls[len(page):]
	}
	return results
}

func (r *Redis) runPage(ctx context.Context, s script, calls []call) []rueidis.RedisResult {
	commands := make([]rueidis.Completed, 0, len(calls))
	for _, c := range calls {
		commands = append(commands, r.evalsha(s, c.keys, c.args))
	}
	results := r.writeAll(ctx, commands)
	for i, result := range results {
		if unknownScript(result) {
			results[i] = r.run(ctx, s, calls[i].keys, calls[i].args)
		}
	}
	return results
}

func firstError(results []rueidis.RedisResult) error {
	for _, result := range results {
		if err := result.Error(); err != nil {
			return err
		}
	}
	return nil
}

func unknownScript(result rueidis.RedisResult) bool {
	err, ok := rueidis.IsRedisErr(result.Error())
	return ok && err.IsNoScript()
}
