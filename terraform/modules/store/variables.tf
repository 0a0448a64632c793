variable "deployment" {
  type = object({
    name_prefix = string
    environment = string
    partition   = string
    dns_suffix  = string
    region      = string
    account_id  = string
    keys        = optional(map(string), {})
  })
  description = "Where this stands: the name prefix, partition, region and account, from locals.tf of the root."
  nullable    = false
}

variable "protect_data" {
  type        = bool
  description = "Whether the tables and a bucket with objects refuse to be deleted."
  nullable    = false
}

variable "list_retention_days" {
  type        = number
  description = "Days an uploaded contact list is kept."
  nullable    = false
}

variable "upload_origins" {
  type        = list(string)
  description = "URLs of the pages whose browsers may upload a file of contacts; what stands behind the host is ignored."
  nullable    = false
}

variable "secret_recovery_days" {
  type        = number
  description = "Days the deleted keys can be recovered; 0 deletes at once."
  nullable    = false
}

variable "emulated" {
  type        = bool
  description = "True on an emulator, which speaks plain HTTP: the bucket does not deny it there."
  nullable    = false
}
