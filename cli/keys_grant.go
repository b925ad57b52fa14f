package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"linkbroker/broker"
)

// The flags that say what a client may do.

func addGrantFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.String("role", string(broker.RoleGenerate), "read, generate or admin")
	flags.String("expires-at", "", "a `moment` such as 2030-01-31T08:00:00+08:00, a time from now such as 90d, or never")
	flags.StringSlice("app", nil, "an `appid` it may use; may be given again (default all)")
	flags.StringArray("path", nil, "a `page` it may ask for: pages/item, pages/item?*, pages/item?id=[0-9]+&from,\n"+
		`or as JSON {"path":"pages/item","params":[{"name":"id","max_length":200}]}; may be given again (default all)`)
	flags.StringSlice("env-version", nil, "a `version` it may ask for: release, trial or develop; may be given again (default all)")
	flags.Bool("no-cloud-base", false, "it may not ask with cloud_base")
	flags.Bool("pass-through", false, "it may have the other calls of WeChat's passed on that its mini programs name under pass_through")
	flags.StringSlice("origin", nil, "a web `page` that may read answers, such as https://shop.example.com; may be given again")
	flags.Float64("requests-per-second", 0, "0 = no limit")
	flags.Int("generations-per-minute", 0, "0 = no limit")
	flags.Int64("generations-per-day", 0, "0 = no limit but the app's")
}

// grantFields gives what the flags say that were given, as the API names it.
func grantFields(cmd *cobra.Command) (map[string]any, error) {
	fields := make(map[string]any)
	flags := cmd.Flags()
	add := func(flag, field string, value any, err error) error {
		if flags.Changed(flag) && err == nil {
			fields[field] = value
		}
		return err
	}
	role, err := flags.GetString("role")
	errs := []error{add("role", "role", role, err)}
	texts := map[string]string{"app": "apps", "env-version": "env_versions", "origin": "origins"}
	for flag, field := range texts {
		values, err := flags.GetStringSlice(flag)
		errs = append(errs, add(flag, field, values, err))
	}
	rules, err := pathRules(cmd)
	errs = append(errs, add("path", "paths", rules, err))
	end, err := expiry(cmd)
	errs = append(errs, add("expires-at", "expires_at", end, err))
	noCloudBase, err := flags.GetBool("no-cloud-base")
	errs = append(errs, add("no-cloud-base", "no_cloud_base", noCloudBase, err))
	passThrough, err := flags.GetBool("pass-through")
	errs = append(errs, add("pass-through", "pass_through", passThrough, err))
	perSecond, err := flags.GetFloat64("requests-per-second")
	errs = append(errs, add("requests-per-second", "requests_per_second", perSecond, err))
	perMinute, err := flags.GetInt("generations-per-minute")
	errs = append(errs, add("generations-per-minute", "generations_per_minute", perMinute, err))
	perDay, err := flags.GetInt64("generations-per-day")
	errs = append(errs, add("generations-per-day", "generations_per_day", perDay, err))
	return fields, errors.Join(errs...)
}

func expiry(cmd *cobra.Command) (any, error) {
	text := cmd.Flag("expires-at").Value.String()
	if text == "" {
		return nil, nil //nolint:nilnil // null: never
	}
	end, err := moment(text, time.Now())
	if err != nil {
		return nil, fmt.Errorf("--expires-at %w", err)
	}
	return end, nil
}

// moment reads when something ends; nil is never.
func moment(text string, now time.Time) (*time.Time, error) {
	if text == "never" {
		return nil, nil //nolint:nilnil // JSON's null
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return &at, nil
	}
	d, err := parseDuration(text)
	if err != nil || d < 0 {
		return nil, errors.New("must be a moment such as 2030-01-31T08:00:00+08:00, a time from now such as 90d, or never")
	}
	at := now.Add(d).UTC().Truncate(time.Second)
	return &at, nil
}

func pathRules(cmd *cobra.Command) ([]broker.PathRule, error) {
	texts, err := cmd.Flags().GetStringArray("path")
	if err != nil {
		return nil, err
	}
	rules := make([]broker.PathRule, len(texts))
	for i, text := range texts {
		if rules[i], err = broker.ParsePathRule(text); err != nil {
			return nil, fmt.Errorf("--path %w", err)
		}
	}
	return rules, nil
}
