variable "deployment" {
  type = object({
    name_prefix = string
    environment = string
    partition   = string
    dns_suffix  = string
    region      = string
    account_id  = string
  })
  description = "Where this stands: the name prefix, partition, region and account, from locals.tf of the root."
  nullable    = false
}

variable "artefacts_dir" {
  type        = string
  description = "Folder of the zips and their artefacts.json, relative to the root module."
  nullable    = false
}

variable "emulated" {
  type        = bool
  description = "True on an emulator, which also takes artefacts built for the interpreter of a laptop."
  nullable    = false
}

variable "bucket" {
  type        = string
  description = "Bucket to which the zips were published; null takes them from artefacts_dir."
}

variable "publish_versions" {
  type        = bool
  description = "Whether a change of a function becomes a version."
  nullable    = false
}

variable "code_signing_profile_version_arn" {
  type        = string
  description = "Signing profile whose signature every function must carry; null for none."
}
