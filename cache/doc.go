// Package cache keeps what must survive a restart: links, the quota ledger and a few small values.
//
// Open gives a store by its URL. Bolt keeps everything in one file on the local disk, Memory keeps it nowhere, and
// Layer answers hot links of either from memory. All of them keep the promises of broker.Store, and one suite of
// tests holds them to it.
//
// The file is looked over in a child process before it is served, because a damaged one can kill the process that
// maps it. See Options.Probe.
package cache
