# Written by blueprint. Change the blueprint instead.

# Flux writes labels and annotations of its own.
resource "kubernetes_namespace_v1" "flux_system" {
  metadata {
    name = "flux-system"
  }

  lifecycle {
    ignore_changes = [metadata[0].annotations, metadata[0].labels]
  }
}

variable "git_credential" {
  description = "Whether the Git credential is fetched. Only tests go without: they cannot replace an ephemeral value."
  type        = bool
  default     = true
}

# What Flux reads Git with, for as long as one run needs it. It reaches neither a plan nor a state.

ephemeral "aws_ssm_parameter" "identity" {
  count = var.git_credential ? 1 : 0

  arn = "arn:aws:ssm:${local.region}:${local.account}:parameter/orchard/production/flux-system/git/identity"
}

ephemeral "aws_ssm_parameter" "known_hosts" {
  count = var.git_credential ? 1 : 0

  arn = "arn:aws:ssm:${local.region}:${local.account}:parameter/orchard/production/flux-system/git/known-hosts"
}

# Terraform cannot see that the value in Parameter Store was replaced: `data_wo_revision` says so. It comes from
# `components.flux.credential-version` in the blueprint.
resource "kubernetes_secret_v1" "git" {
  metadata {
    name      = "flux-system"
    namespace = kubernetes_namespace_v1.flux_system.metadata[0].name
  }

  data_wo = {
    identity    = one(ephemeral.aws_ssm_parameter.identity[*].value)
    known_hosts = one(ephemeral.aws_ssm_parameter.known_hosts[*].value)
  }

  data_wo_revision = 1
}

# The first install, and nothing after it. Each release is made if it is missing; then Git says which version runs and
# how: Flux takes over this release of the operator and the FluxInstance, and Terraform looks away.

resource "helm_release" "flux_operator" {
  name       = "flux-operator"
  namespace  = kubernetes_namespace_v1.flux_system.metadata[0].name
  repository = "oci://ghcr.io/controlplaneio-fluxcd/charts"
  chart      = "flux-operator"
  version    = "0.58.1"
  timeout    = 600

  values = [yamlencode({
    web = { enabled = false }
  })]

  lifecycle {
    ignore_changes = all
  }
}

# A chart and no manifest: its kind does not exist yet when a first run is planned. A destroy takes it away before the
# operator, which then removes Flux and leaves alone what Flux deployed.
resource "helm_release" "flux_instance" {
  name       = "flux"
  namespace  = kubernetes_namespace_v1.flux_system.metadata[0].name
  repository = "oci://ghcr.io/controlplaneio-fluxcd/charts"
  chart      = "flux-instance"
  version    = "0.58.1"
  timeout    = 900

  values = [yamlencode({
    # The same as clusters/production/flux-system/instance.yaml of the manifests, which takes its place.
    instance = {
      distribution = {
        version  = "2.9.4"
        registry = "ghcr.io/fluxcd"

        # None: the manifests of this version travel in the operator's image.
        artifact = ""
      }
      components = [
        "source-controller",
        "kustomize-controller",
        "helm-controller",
        "notification-controller",
      ]
      cluster = {
        type          = "aws"
        size          = "medium"
        domain        = "cluster.local"
        multitenant   = true
        networkPolicy = true
      }
      sync = {
        kind       = "GitRepository"
        url        = "ssh://git@github.com/acme/kubernetes-manifest.git"
        ref        = "refs/heads/main"
        path       = "clusters/production"
        pullSecret = kubernetes_secret_v1.git.metadata[0].name
        interval   = "1m"
      }
      kustomize = {
        patches = [
          {
            target = { kind = "Kustomization" }
            patch  = "- op: add\n  path: /spec/retryInterval\n  value: 1m\n- op: add\n  path: /spec/timeout\n  value: 5m\n"
          },
          {
            target = { kind = "Deployment", name = "kustomize-controller" }
            patch  = "- op: add\n  path: /spec/template/spec/containers/0/args/-\n  value: --feature-gates=CancelHealthCheckOnNewRevision=true\n"
          },
        ]
      }
    }

    # The release is done when Flux runs.
    healthcheck = {
      enabled = true
      timeout = "10m"
    }
  })]

  depends_on = [helm_release.flux_operator]

  lifecycle {
    ignore_changes = all
  }
}
