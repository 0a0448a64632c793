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

variable "console_urls" {
  type        = list(string)
  description = "Addresses of the console, to which the sign-in page may send people back."
  nullable    = false
}

variable "domain_prefix" {
  type        = string
  description = "First part of the sign-in page's address; null takes the deployment's name and account."
}

variable "programs" {
  type        = map(string)
  description = "Role of each program that asks with a client's credentials, by a short name."
  nullable    = false
}

variable "oidc" {
  type = object({
    authorization_endpoint = string
    token_endpoint         = string
    logout_endpoint        = string
    client_id              = string
    scope                  = string
  })
  description = "How the console signs people in with another issuer; unused with the pool."
  nullable    = false
}

variable "emulator_url" {
  type        = string
  description = "Address of the emulator, which serves the sign-in pages there; empty on AWS."
  nullable    = false
}

variable "web_acl_arn" {
  type        = string
  description = "Web ACL before the sign-in of the pool; null for none."
  default     = null
}
