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

variable "domain" {
  type        = string
  description = "Domain the mails come from."
  nullable    = false
}

variable "default_from_email" {
  type        = string
  description = "Sender of a campaign that names none."
  nullable    = false
}

variable "secret_name" {
  type        = string
  description = "Name of the secret for SMTP credentials."
  nullable    = false
}

variable "secret_recovery_days" {
  type        = number
  description = "Days the deleted secret can be recovered; 0 deletes at once."
  nullable    = false
}

variable "emulated" {
  type        = bool
  description = "True on an emulator: its SES has no MAIL FROM domain and understands no SES resource in a policy."
  nullable    = false
}
