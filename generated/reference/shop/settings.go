// Created once by blueprint. Edit freely: renders do not change this file.

package main

import (
	"fmt"
	"strings"
)

// settings are read from environment variables.
type settings struct {
	port        string
	metricsPort string
	database    databaseSettings
}

// databaseSettings are environment variables with values from Parameter Store.
type databaseSettings struct {
	host, port, name, username, password string
	// File with the certificate authorities of the server, set by the image.
	authorities string
}

func readSettings(environment func(string) string) (settings, error) {
	var missing []string
	require := func(name string) string {
		value := environment(name)
		if value == "" {
			missing = append(missing, name)
		}
		return value
	}
	read := func(name, standard string) string {
		if value := environment(name); value != "" {
			return value
		}
		return standard
	}
	it := settings{
		port:        read("PORT", "8080"),
		metricsPort: read("METRICS_PORT", "9090"),
		database: databaseSettings{
			host:        require("DATABASE_HOST"),
			port:        require("DATABASE_PORT"),
			name:        require("DATABASE_NAME"),
			username:    require("DATABASE_USERNAME"),
			password:    require("DATABASE_PASSWORD"),
			authorities: require("DATABASE_CA_FILE"),
		},
	}
	if len(missing) > 0 {
		return settings{}, fmt.Errorf("missing environment variables: %s", strings.Join(missing, ", "))
	}
	return it, nil
}
