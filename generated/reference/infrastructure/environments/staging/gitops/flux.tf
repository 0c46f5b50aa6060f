# Written by blueprint. Change the blueprint instead.

# Created by Terraform, because the credential below must exist before Flux. The labels are needed for the first pod of the operator;
# later Flux sets them, together with its own labels and annotations.
resource "kubernetes_namespace_v1" "flux_system" {
  metadata {
    name = "flux-system"

    labels = {
      "pod-security.kubernetes.io/enforce"         = "restricted"
      "pod-security.kubernetes.io/enforce-version" = "latest"
    }
  }

  lifecycle {
    ignore_changes = [metadata[0].annotations, metadata[0].labels]
  }
}

variable "git_credential" {
  description = "Whether the Git credential is read from Parameter Store. `scripts/teardown` sets false: a destroy needs no credential and must not fail if it was already deleted. The tests set false because they have no AWS account."
  type        = bool
  default     = true
}

# The credential with which Flux reads Git. It is an ephemeral value, so it is in no plan and no state.

ephemeral "aws_ssm_parameter" "app_private_key" {
  count = var.git_credential ? 1 : 0

  arn = "arn:aws:ssm:${local.region}:${local.account}:parameter/${local.project}/${local.environment}/flux-system/git/app-private-key"
}

# Terraform does not detect a change of the value in Parameter Store. It updates the Secret only if `data_wo_revision` changes, which is
# `components.flux.credential-version` in the blueprint.
resource "kubernetes_secret_v1" "git" {
  metadata {
    name      = "flux-system"
    namespace = kubernetes_namespace_v1.flux_system.metadata[0].name
  }

  data_wo = {
    githubAppID                = "1234567"
    githubAppInstallationOwner = "acme"
    githubAppPrivateKey        = one(ephemeral.aws_ssm_parameter.app_private_key[*].value)
  }

  data_wo_revision = 1
}

# Terraform installs Flux only once. After that Flux updates itself from Git: it takes over both releases, and Terraform ignores
# later changes to them.

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

# The FluxInstance is installed with a chart: a manifest could not be planned before the operator has installed its CRD. On destroy it
# is deleted before the operator, which then uninstalls Flux but keeps the workloads that Flux deployed.
resource "helm_release" "flux_instance" {
  name       = "flux"
  namespace  = kubernetes_namespace_v1.flux_system.metadata[0].name
  repository = "oci://ghcr.io/controlplaneio-fluxcd/charts"
  chart      = "flux-instance"
  version    = "0.58.1"
  timeout    = 900

  values = [yamlencode({
    # Equal to clusters/staging/flux-system/instance.yaml in the manifests, which Flux applies later.
    instance = {
      distribution = {
        version  = "2.9.4"
        registry = "ghcr.io/fluxcd"

        # Empty, so that the operator uses the manifests in its own image.
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
        provider   = "github"
        url        = "https://github.com/acme/kubernetes-manifest.git"
        ref        = "refs/heads/main"
        path       = "clusters/${local.environment}"
        pullSecret = kubernetes_secret_v1.git.metadata[0].name
        interval   = "1m"
      }
      kustomize = {
        patches = [
          {
            target = { kind = "Namespace" }
            patch  = "- op: add\n  path: /metadata/labels/pod-security.kubernetes.io~1enforce\n  value: restricted\n- op: add\n  path: /metadata/labels/pod-security.kubernetes.io~1enforce-version\n  value: latest\n- op: add\n  path: /metadata/labels/pod-security.kubernetes.io~1audit\n  value: restricted\n- op: add\n  path: /metadata/labels/pod-security.kubernetes.io~1audit-version\n  value: latest\n- op: add\n  path: /metadata/labels/pod-security.kubernetes.io~1warn\n  value: restricted\n- op: add\n  path: /metadata/labels/pod-security.kubernetes.io~1warn-version\n  value: latest\n"
          },
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

    # The installation succeeds when Flux is ready.
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
