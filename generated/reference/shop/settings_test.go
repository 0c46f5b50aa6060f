// Created once by blueprint. Edit freely: renders do not change this file.

package main

import (
	"strings"
	"testing"
)

func TestSettingsComeFromTheEnvironment(t *testing.T) {
	names := map[string]string{"PORT": "1", "METRICS_PORT": "2"}
	databaseNames := []string{"DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME", "DATABASE_USERNAME", "DATABASE_PASSWORD", "DATABASE_CA_FILE"}
	for _, name := range databaseNames {
		names[name] = strings.ToLower(name)
	}
	it, err := readSettings(func(name string) string { return names[name] })
	if err != nil {
		t.Fatal(err)
	}
	if it.port != "1" || it.metricsPort != "2" {
		t.Errorf("read %+v", it)
	}
	if it.database.password != "database_password" {
		t.Errorf("read %+v", it)
	}

	_, err = readSettings(func(string) string { return "" })
	for _, name := range databaseNames {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("does not say that %s is missing: %v", name, err)
		}
	}
}
