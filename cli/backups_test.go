package cli_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/cli"
)

func TestAFreshBackup(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "links.db")
	store, err := cache.Open(t.Context(), "bolt://"+path, cache.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutBlob(t.Context(), "name", []byte("value")); err != nil {
		t.Fatal(err)
	}
	// What a crash in a download may have left.
	if err := os.WriteFile(path+".download.tmp", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	copies := cli.NewBackups(cli.Config{Store: cli.StoreURL("bolt://" + path)}, store)
	for range 2 {
		file, backup, err := copies.Fresh(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := copies.Fresh(t.Context()); !errors.Is(err, broker.Busy) {
			t.Errorf("a second copy beside the first: %v", err)
		}
		content, err := io.ReadAll(file)
		if err != nil || int64(len(content)) != backup.Bytes || filepath.Ext(backup.Name) != ".db" {
			t.Errorf("%d bytes of %+v, %v", len(content), backup, err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
		whole := filepath.Join(t.TempDir(), backup.Name)
		if err := os.WriteFile(whole, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if report, err := cache.Check(t.Context(), whole); err != nil || !report.Clean() {
			t.Errorf("what is downloaded is no store: %+v, %v", report, err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := copies.Fresh(t.Context()); err == nil || errors.Is(err, broker.Busy) {
		t.Errorf("a copy that fails: %v", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("left are %v, %v", files, err)
	}
}

func TestBackupsThatAreKept(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"links-20260301T030000Z.db", "links-20260302T030000Z.db", "links-20260303T030000Z.db.1.tmp", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := cli.Config{Store: "bolt://links.db", Backup: cli.BackupConfig{Dir: dir}}
	list, err := cli.NewBackups(cfg, nil).List()
	if err != nil || len(list) != 2 || list[0].Name != "links-20260302T030000Z.db" || list[0].Bytes != 25 || list[0].At.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
	cfg.Backup.Dir = ""
	if list, err := cli.NewBackups(cfg, nil).List(); len(list) != 0 || err != nil {
		t.Errorf("without a folder: %+v, %v", list, err)
	}
	if cli.NewBackups(cli.Config{Store: "memory://"}, nil) != nil {
		t.Error("a store in memory has backups")
	}
}
