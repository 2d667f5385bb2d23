// The one call of BMv2's service "standard" that is needed here.

enum RegisterOperationErrorCode {
  INVALID_REGISTER_NAME = 1,
  INVALID_INDEX = 2,
  ERROR = 3,
}

exception InvalidRegisterOperation {
  1: RegisterOperationErrorCode code
}

service Standard {
  list<i64> bm_register_read_all(1: i32 context, 2: string register_name)
    throws (1: InvalidRegisterOperation error)
}
