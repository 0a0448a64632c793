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
  description = "Level to log at, and days to keep the logs, the access log among them."
  nullable    = false
}

variable "settings" {
  type = object({
    memory_mb       = number
    timeout_seconds = number
    rate_limit      = number
    burst_limit     = number
  })
  description = "Size of the function, and requests a second the API lets through in all."
  nullable    = false
}

variable "jwt_issuer" {
  type        = string
  description = "URL of the issuer whose tokens are trusted."
  nullable    = false
}

variable "jwt_audiences" {
  type        = list(string)
  description = "Audiences of which a token must name one."
  nullable    = false
}

variable "environment_variables" {
  type        = map(string)
  description = "What the function alone needs."
  nullable    = false
}

variable "policies" {
  type        = map(string)
  description = "What the function may do besides logging, by a short name."
  nullable    = false
}
