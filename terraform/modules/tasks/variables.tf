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

variable "settings" {
  type = object({
    memory_mb       = number
    timeout_seconds = number
    max_attempts    = number
    backoff_seconds = number
  })
  description = "Size of the function and how often a task is tried; the root variable task_processor says when to change one."
  nullable    = false
}

variable "queues" {
  type = map(object({
    visibility_timeout_seconds = number
    retention_days             = number
    max_receive_count          = number
    dead_letter_retention_days = number
    batch_size                 = number
    batching_window_seconds    = number
    maximum_concurrency        = number
  }))
  description = "Queues by name, each with a dead-letter queue and a mapping; one is called tasks."
  nullable    = false
}

variable "periodic" {
  type = map(object({
    task                = string
    schedule            = string
    timezone            = string
    queue               = string
    kwargs_json         = string
    enabled             = bool
    maximum_age_seconds = number
  }))
  description = "Tasks by the clock, by the name of the schedule."
  nullable    = false
}

variable "buckets" {
  type        = map(set(string))
  description = "Buckets of the application, each with what tasks may do in it: read, write, delete."
  nullable    = false
}

variable "files" {
  type = object({
    export_days  = number
    link_minutes = number
  })
  description = "Days a generated report is kept, and minutes the link to it opens it."
  nullable    = false
}

variable "protect_data" {
  type        = bool
  description = "Whether the table, and the bucket while it holds files, refuse to be deleted."
  nullable    = false
}

variable "environment_variables" {
  type        = map(string)
  description = "What the function needs that is not of this module."
  nullable    = false
}

variable "policies" {
  type        = map(string)
  description = "What the function may do besides its own queues, files and receipts, by a short name."
  nullable    = false
}

variable "emulated" {
  type        = bool
  description = "True on an emulator: plain HTTP is not denied there, and batches have actions of their own."
  nullable    = false
}
