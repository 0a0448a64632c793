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

variable "name" {
  type        = string
  description = "What travels on the queue; <prefix>-<name>-queue and <prefix>-<name>-dlq are made."
  nullable    = false
}

variable "settings" {
  type = object({
    visibility_timeout_seconds = number
    retention_days             = number
    max_receive_count          = number
    dead_letter_retention_days = number
  })
  description = "Times of the queue; the root variable of the same shape says when to change one."
  nullable    = false
}
