// Package jobs says when upkeep runs: it drives purge, pre-warming, flush, census and backup by cron's clock.
//
// A job never runs twice at once, a panic in one neither ends the program nor the job's schedule, and what each did
// last can be asked for. What the jobs do is the domain's and the command line's business.
package jobs
