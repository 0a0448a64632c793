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

variable "enabled" {
  type        = bool
  description = "Whether there are keys of the account; false leaves encryption to keys of AWS."
  nullable    = false
}
