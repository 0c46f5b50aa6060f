module github.com/#{ foundation.github.slug(application.repository) }#

go #{ application.program.line }#.0
#%- if application.database.is_some() %#

require (
	github.com/jackc/pgx/v5 v#{ foundation.catalogue.tool("github.com/jackc/pgx/v5") }#
	github.com/prometheus/client_golang v#{ foundation.catalogue.tool("github.com/prometheus/client_golang") }#
)
#%- else %#

require github.com/prometheus/client_golang v#{ foundation.catalogue.tool("github.com/prometheus/client_golang") }#
#%- endif %#

require (
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
#%- if application.database.is_some() %#
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
#%- endif %#
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
#%- if application.database.is_some() %#
	golang.org/x/sync v0.23.0 // indirect
#%- endif %#
	golang.org/x/sys v0.48.0 // indirect
#%- if application.database.is_some() %#
	golang.org/x/text v0.42.0 // indirect
#%- endif %#
	google.golang.org/protobuf v1.36.12 // indirect
)
