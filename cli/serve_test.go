package cli_test

import (
	"os"
	"path/filepath"
	"testing"
)

const (
	shopKey = "shop-key-0123456789abcdef"
	opsKey  = "ops-key-0123456789abcdefg"
)

func bearer(key string) string { return "Authorization: Bearer " + key }

// configured makes a folder with a config.yaml.
func configured(t *testing.T, config string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
