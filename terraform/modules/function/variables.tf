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

variable "name" {
  type        = string
  description = "Job of the function in snake_case, as in functions/<name>; it also names the service in logs and metrics."
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

variable "memory_mb" {
  type        = number
  description = "Memory in MB; processor time grows with it."
  nullable    = false
}

variable "timeout_seconds" {
  type        = number
  description = "Seconds after which Lambda kills an invocation."
  nullable    = false
}

variable "environment_variables" {
  type        = map(string)
  description = "What this function alone needs; the names all functions share are added here."
  nullable    = false
}

variable "policies" {
  type        = map(string)
  description = "What the function may do besides logging: policy documents from the owners of the things, by a short name."
  nullable    = false
}
