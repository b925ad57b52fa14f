package handlers

import (
	"context"
	"slices"
	"strings"

	"linkbroker/broker"
)

// quotaLeft says what is left today of the quotas from which generations for the targets are taken: one number where that
// is one quota.
func (a *api) quotaLeft(ctx context.Context, texts texts, targets ...broker.Target) (string, error) {
	quotas, err := a.Broker.Quotas(ctx)
	if err != nil {
		return "", err
	}
	type account struct {
		app  string
		name broker.Account
	}
	var taken []account
	for _, target := range targets {
		for _, name := range target.Accounts() {
			if one := (account{target.App, name}); !slices.Contains(taken, one) {
				taken = append(taken, one)
			}
		}
	}
	var parts []string
	for _, quota := range quotas {
		for _, of := range append(quota.Others, broker.AccountQuota{Account: broker.Links, Limit: quota.Limit, Used: quota.Used}) {
			if !slices.Contains(taken, account{quota.App, of.Account}) {
				continue
			}
			left := texts.number(max(of.Limit-of.Used, 0))
			if len(taken) > 1 {
				left = quota.App + " " + texts.say("account."+string(of.Account)) + " " + left
			}
			parts = append(parts, left)
		}
	}
	return strings.Join(parts, ", "), nil
}
