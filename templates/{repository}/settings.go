package main
#%- if application.database.is_some() %#

import (
	"fmt"
	"strings"
)
#%- endif %#

// settings are read from environment variables.
type settings struct {
	port        string
	metricsPort string
#%- if application.database.is_some() %#
	database    databaseSettings
#%- endif %#
}
#%- if application.database.is_some() %#

// databaseSettings are environment variables with values from Parameter Store.
type databaseSettings struct {
	host, port, name, username, password string
	// File with the certificate authorities of the server, set by the image.
	authorities string
}
#%- endif %#

#%- if application.database.is_some() %#

func readSettings(environment func(string) string) (settings, error) {
#%- else %#

func readSettings(environment func(string) string) settings {
#%- endif %#
#%- if application.database.is_some() %#
	var missing []string
	require := func(name string) string {
		value := environment(name)
		if value == "" {
			missing = append(missing, name)
		}
		return value
	}
#%- endif %#
	read := func(name, standard string) string {
		if value := environment(name); value != "" {
			return value
		}
		return standard
	}
#%- if application.database.is_some() %#
	it := settings{
#%- else %#
	return settings{
#%- endif %#
		port:        read("PORT", "#{ application.port }#"),
		metricsPort: read("METRICS_PORT", "#{ application.metrics.port }#"),
#%- if application.database.is_some() %#
		database: databaseSettings{
			host:        require("DATABASE_HOST"),
			port:        require("DATABASE_PORT"),
			name:        require("DATABASE_NAME"),
			username:    require("DATABASE_USERNAME"),
			password:    require("DATABASE_PASSWORD"),
			authorities: require("DATABASE_CA_FILE"),
		},
#%- endif %#
#%- if application.database.is_some() %#
	}
	if len(missing) > 0 {
		return settings{}, fmt.Errorf("missing environment variables: %s", strings.Join(missing, ", "))
	}
	return it, nil
#%- else %#
	}
#%- endif %#
}
