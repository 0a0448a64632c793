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

variable "jwt_issuer" {
  type        = string
  description = "Issuer to trust instead of a user pool of our own; null makes the pool."
}

variable "jwt_audience" {
  type        = string
  description = "Audience of that issuer's tokens; null with the pool."
}

variable "protect_data" {
  type        = bool
  description = "Whether the user pool refuses to be deleted."
  nullable    = false
}
