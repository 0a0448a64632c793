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

variable "publishers" {
  type = map(object({
    service    = string
    source_arn = string
  }))
  description = "AWS services that send to the queue by themselves, by a name in lower case, each for one source alone."
  nullable    = false
  default     = {}
}

variable "emulated" {
  type        = bool
  description = "True on an emulator, which speaks plain HTTP and has actions of its own for batches."
  nullable    = false
}
