// The calls of BMv2's service "standard" that are needed here.

enum RegisterOperationErrorCode {
  INVALID_REGISTER_NAME = 1,
  INVALID_INDEX = 2,
  ERROR = 3,
}

exception InvalidRegisterOperation {
  1: RegisterOperationErrorCode code
}

service Standard {
  i64 bm_register_read(1: i32 context, 2: string register_name, 3: i32 index)
    throws (1: InvalidRegisterOperation error)

  list<i64> bm_register_read_all(1: i32 context, 2: string register_name)
    throws (1: InvalidRegisterOperation error)
}
