//! The monitors, alerts and dashboard of an application. Whether monitoring is enabled is decided elsewhere.

use super::Application;
use crate::{
    foundation::Foundation,
    page::{Page, seeded},
    pages,
};

/// Beside the base, because not every environment has monitoring. `monitoring_namespace` is the namespace of Prometheus.
pub fn pages(
    application: &Application,
    foundation: &Foundation,
    monitoring_namespace: &&'static str,
) -> Vec<Page> {
    let name = &application.name;
    let mut pages = pages! { { application: Application, foundation: Foundation }
        Resource "kubernetes-manifest/apps/{name}/monitoring/application-pods.yaml",
        Resource "kubernetes-manifest/apps/{name}/monitoring/dashboard.yaml",
    };
    if application.has_metrics {
        pages.extend(
            pages! { { application: Application, foundation: Foundation, monitoring_namespace: &'static str }
                Resource "kubernetes-manifest/apps/{name}/monitoring/allow-metrics.yaml",
                Resource "kubernetes-manifest/apps/{name}/monitoring/application-requests.yaml",
                Resource "kubernetes-manifest/apps/{name}/monitoring/service-monitor.yaml",
            },
        );
    }
    if application.has_metrics && application.database.is_some() {
        pages.extend(pages! { { application: Application, foundation: Foundation }
            Resource "kubernetes-manifest/apps/{name}/monitoring/application-database.yaml",
        });
    }
    pages.extend(seeded(pages! { { application: Application }
        Component "kubernetes-manifest/apps/{name}/monitoring/local/kustomization.yaml",
    }));
    pages
}
