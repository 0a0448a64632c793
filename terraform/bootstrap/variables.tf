variable "environment" {
  type        = string
  description = "Name of the environment: it names every resource, and it is the workspace its state is kept in."
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment must be 2 to 16 lower-case letters, digits or hyphens (got \"${var.environment}\")."
  }

  # The one place that looks at the workspace: values of one environment must never reach another's state.
  validation {
    condition     = var.environment == terraform.workspace
    error_message = "environment is \"${var.environment}\" but the workspace is \"${terraform.workspace}\": run it as `make bootstrap ENV=${var.environment}`, which selects both."
  }
}

variable "aws_region" {
  type        = string
  description = "AWS region of everything; SES identities, quotas and sandboxes are regional too."
  nullable    = false
}

variable "partition" {
  type        = string
  description = "Partition the environment belongs in; a plan with credentials of another one is refused."
  nullable    = false
  default     = "aws"

  validation {
    condition     = contains(["aws", "aws-us-gov"], var.partition)
    error_message = "partition must be aws or aws-us-gov (got \"${var.partition}\")."
  }
}

variable "allowed_account_ids" {
  type        = set(string)
  description = "Accounts this environment may be deployed to; null allows any. Set it once the account is known."
  default     = null

  validation {
    condition     = alltrue([for id in coalesce(var.allowed_account_ids, []) : can(regex("^[0-9]{12}$", id))])
    error_message = "allowed_account_ids must be numbers of 12 digits (got ${join(", ", coalesce(var.allowed_account_ids, []))})."
  }
}

variable "use_fips_endpoints" {
  type        = bool
  description = "Whether Terraform itself talks to the FIPS endpoints; GovCloud wants it, the emulator has none."
  nullable    = false
  default     = false
}

variable "emulated" {
  type        = bool
  description = "True on an emulator only: leaves out what it cannot make, each with its reason where it is left out."
  nullable    = false
  default     = false
}

variable "owner" {
  type        = string
  description = "Team that answers for this account; a tag on every resource, so that a bill finds it."
  nullable    = false
}

variable "state_bucket" {
  type        = string
  description = "Bucket of the state, the name in env/<environment>.s3.tfbackend."
  nullable    = false
}

variable "artefact_bucket" {
  type        = string
  description = "Bucket of zips, layers and manifests, the name in env/<environment>.tfvars."
  nullable    = false
}

variable "github" {
  type = object({
    repository      = optional(string)
    provider_exists = optional(bool, false)
  })
  description = "Repository (owner/name) whose pipeline deploys here, null for none; provider_exists where the account trusts GitHub already, since it can only once."
  nullable    = false
  default     = {}

  validation {
    condition     = var.github.repository == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github.repository))
    error_message = "github.repository must be owner/name (got \"${coalesce(var.github.repository, "null")}\")."
  }
}

variable "code_signing" {
  type        = bool
  description = "Whether to make a signing profile, so that functions refuse code that nobody signed."
  nullable    = false
  default     = false
}
