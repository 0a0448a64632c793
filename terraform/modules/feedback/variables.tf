variable "deployment" {
  type = object({
    name_prefix = string
    environment = string
    partition   = string
    dns_suffix  = string
    region      = string
    account_id  = string
    keys        = optional(map(string), {})
    functions = optional(object({
      subnet_ids         = set(string)
      security_group_ids = set(string)
      fips_endpoints     = list(string)
    }))
  })
  description = "Where this stands: the name prefix, partition, region and account, from locals.tf of the root."
  nullable    = false
}

variable "configuration_set" {
  type = object({
    name = string
    arn  = string
  })
  description = "SES configuration set whose events are heard; no other may publish."
  nullable    = false
}

variable "queue_settings" {
  type = object({
    visibility_timeout_seconds = number
    retention_days             = number
    max_receive_count          = number
    dead_letter_retention_days = number
  })
  description = "Times of the queue; the root variable feedback_queue says when to change one."
  nullable    = false
}

variable "settings" {
  type = object({
    memory_mb               = number
    timeout_seconds         = number
    batch_size              = number
    batching_window_seconds = number
    maximum_concurrency     = number
  })
  description = "Size of the function and of its bites; the root variable feedback says when to change one."
  nullable    = false
}

variable "package" {
  type = object({
    digest                  = string
    filename                = optional(string)
    bucket                  = optional(string)
    key                     = optional(string)
    code_signing_config_arn = optional(string)
    publish                 = optional(bool, true)
  })
  description = "Code of the function, from modules/artefacts: a zip here or an object in S3, and the digest of its content."
  nullable    = false
}

variable "layer_arns" {
  type        = list(string)
  description = "Layer versions, the later laid over the earlier."
  nullable    = false
}

variable "log" {
  type = object({
    level          = string
    retention_days = number
  })
  description = "Level to log at, and days to keep the log."
  nullable    = false
}

variable "environment_variables" {
  type        = map(string)
  description = "What this function alone needs."
  nullable    = false
}

variable "policies" {
  type        = map(string)
  description = "What the function may do besides consuming its queue, by a short name."
  nullable    = false
}

variable "emulated" {
  type        = bool
  description = "True on an emulator, which speaks plain HTTP: it is not denied there."
  nullable    = false
}
