"""C functions that take headers out of a packet and put them back."""

from __future__ import annotations

from bmv2.embedded.codegen.layout import Layout
from bmv2.embedded.codegen.storage import load, stores
from bmv2.embedded.program.model import Field, HeaderType, Program


def extract_name(layout: Layout, header_type: HeaderType) -> str:
    """The C function that reads a header: `(bytes, header, varbit_bits)`."""
    return f"extract_{layout.struct_name(header_type).removeprefix('struct ')}"


def emit_name(layout: Layout, header_type: HeaderType) -> str:
    """The C function that writes a header: `(bytes, header)`; the count of bytes."""
    return f"emit_{layout.struct_name(header_type).removeprefix('struct ')}"


def size_text(layout: Layout, header: str) -> str:
    """C of the bytes that a valid header takes in a packet."""
    header_type = layout.type_of(header)
    fixed = header_type.width // 8
    if header_type.varbit is None:
        return str(fixed)
    place = f"{layout.header(header)}.{layout.field(header_type, header_type.varbit.name)}"
    return f"({fixed} + {place}.bits / 8)"


def header_functions(program: Program, layout: Layout) -> str:
    """The functions of every header type that can be in a packet."""
    types = {each.type.name: each.type for each in program.headers.values() if not each.is_metadata}
    texts: list[str] = []
    for header_type in types.values():
        texts += [_extract(layout, header_type), _emit(layout, header_type)]
    return "\n".join(texts)


def _split(header_type: HeaderType) -> tuple[list[Field], Field | None, list[Field]]:
    """The fields before the varbit, the varbit, the fields after it."""
    fields = list(header_type.fields)
    varbit = header_type.varbit
    if varbit is None:
        return fields, None, []
    place = fields.index(varbit)
    return fields[:place], varbit, fields[place + 1 :]


def _extract(layout: Layout, header_type: HeaderType) -> str:
    before, varbit, after = _split(header_type)
    lines = [
        f"static inline void {extract_name(layout, header_type)}(const uint8_t *p, "
        f"{layout.struct_name(header_type)} *h, uint32_t varbit_bits) {{"
    ]
    offset = 0
    for field in before:
        lines.append(
            f"  h->{layout.field(header_type, field.name)} = {load('p', offset, field.width)};"
        )
        offset += field.width
    if varbit is not None:
        name = layout.field(header_type, varbit.name)
        lines.append(f"  h->{name}.bits = varbit_bits;")
        lines.append(f"  copy_bits(h->{name}.bytes, 0, p, {offset}, varbit_bits);")
    for field in after:
        reader = "wide_get_bits" if field.width > 128 else "get_bits"
        lines.append(
            f"  h->{layout.field(header_type, field.name)} = "
            f"{reader}(p, {offset} + (uint64_t)varbit_bits, {field.width});"
        )
        offset += field.width
    lines += ["  h->valid = 1;", "  (void)p, (void)varbit_bits;", "}"]
    return "\n".join(lines)


def _emit(layout: Layout, header_type: HeaderType) -> str:
    before, varbit, after = _split(header_type)
    lines = [
        f"static inline uint32_t {emit_name(layout, header_type)}(uint8_t *p, "
        f"const {layout.struct_name(header_type)} *h) {{"
    ]
    values = [(f"h->{layout.field(header_type, field.name)}", field.width) for field in before]
    offset = sum(field.width for field in before)
    lines += [f"  {line}" for line in stores("p", values)]
    if varbit is None:
        lines += ["  (void)p, (void)h;", f"  return {offset // 8};", "}"]
        return "\n".join(lines)
    name = layout.field(header_type, varbit.name)
    lines.append(f"  uint64_t at = {offset};")
    lines.append(f"  copy_bits(p, at, h->{name}.bytes, 0, h->{name}.bits);")
    lines.append(f"  at += h->{name}.bits;")
    for field in after:
        writer = "wide_put_bits" if field.width > 128 else "put_bits"
        lines.append(
            f"  {writer}(p, at, {field.width}, "
            f"h->{layout.field(header_type, field.name)}); at += {field.width};"
        )
    lines += ["  return (uint32_t)(at / 8);", "}"]
    return "\n".join(lines)
