variable "deployment" {
  type = object({
    name_prefix = string
    environment = string
    partition   = string
    dns_suffix  = string
    region      = string
    account_id  = string
  })
  description = "Where this stands: the name prefix, partition, region and account, from the root."
  nullable    = false
}

variable "state_bucket" {
  type        = string
  description = "Name of the bucket that keeps the state; it exists already, empty or not."
  nullable    = false
}

variable "artefact_bucket" {
  type        = string
  description = "Name of the bucket that keeps zips, layers and manifests; it exists already, empty or not."
  nullable    = false
}

variable "github" {
  type = object({
    repository      = optional(string)
    provider_exists = optional(bool, false)
  })
  description = "Repository (owner/name) whose pipeline deploys, null for none; whether the account knows GitHub already."
  nullable    = false
}

variable "code_signing" {
  type        = bool
  description = "Whether to make a signing profile for the functions' code."
  nullable    = false
}

variable "emulated" {
  type        = bool
  description = "True on an emulator: plain HTTP is not denied there, and GitHub's certificate gets a made-up thumbprint."
  nullable    = false
}
