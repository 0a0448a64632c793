variable "name" {
  type        = string
  description = "Name of the bucket, unique in its partition."
  nullable    = false
}

variable "kms_key_arn" {
  type        = string
  description = "Key that encrypts the objects; null for one of S3's own."
  default     = null
}

variable "force_destroy" {
  type        = bool
  description = "Whether a destroy deletes the objects too; else it is refused while there are any."
  nullable    = false
}

variable "emulated" {
  type        = bool
  description = "True on an emulator, which speaks plain HTTP: the bucket does not deny it there."
  nullable    = false
}
