// PyTorch's operators by name: JavaScript asks for one and gets a function that takes its arguments in the order of its schema.
// Arguments that are left out have the schema's defaults; new tensors are made on the engine's device.

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type.h>

#include <cmath>
#include <memory>

#include "call.h"
#include "tf32.h"

namespace bulwark {

namespace {

struct Operator {
  c10::OperatorHandle handle;
  std::string name;
  /** So many of its first arguments are factors of products. */
  size_t factors;
};

size_t factorsOf(const std::string& name) {
  if (name == "aten::matmul" || name == "aten::einsum" || name == "aten::convolution") return 2;
  return name == "aten::convolution_backward" ? 3 : 0;
}

/** What TF32's emulation has an operator multiply. */
c10::IValue factor(const c10::IValue& given) {
  if (given.isTensor()) return tf32::factor(given.toTensor());
  if (!given.isTensorList() || given.toTensorList().size() < 2) return given;
  c10::List<at::Tensor> factors;
  for (const at::Tensor& each : given.toTensorVector()) factors.push_back(tf32::factor(each));
  return factors;
}

/** A whole number stays one: with it, a float32 tensor stays float32 and an int32 tensor int32. */
c10::Scalar scalarOf(double number) {
  const bool whole = std::trunc(number) == number && std::abs(number) < 9e15 && !(number == 0 && std::signbit(number));
  return whole ? c10::Scalar(static_cast<int64_t>(number)) : c10::Scalar(number);
}

template <typename T, typename Convert>
c10::IValue listOf(Call& call, napi_value value, Convert convert) {
  c10::List<T> list;
  for (napi_value element : call.elements(value)) list.push_back(convert(element));
  return list;
}

c10::IValue convert(Call& call, napi_value value, const c10::TypePtr& type) {
  const auto integer = [&](napi_value v) { return static_cast<int64_t>(call.numberOf(v)); };
  const auto flag = [&](napi_value v) {
    bool set = false;
    check(napi_get_value_bool(call.env, v, &set), "a flag is missing");
    return set;
  };
  switch (type->kind()) {
    case c10::TypeKind::TensorType: return call.tensorAt(value);
    case c10::TypeKind::NumberType: return scalarOf(call.numberOf(value));
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
    case c10::TypeKind::ScalarTypeType:
    case c10::TypeKind::MemoryFormatType:
    case c10::TypeKind::LayoutType: return integer(value);
    case c10::TypeKind::FloatType: return call.numberOf(value);
    case c10::TypeKind::BoolType: return flag(value);
    case c10::TypeKind::StringType: return call.textOf(value);
    case c10::TypeKind::DeviceObjType: return at::Device(call.textOf(value));
    case c10::TypeKind::OptionalType: {
      const napi_valuetype given = call.typeOf(value);
      if (given == napi_null || given == napi_undefined) return {};
      return convert(call, value, type->expectRef<c10::OptionalType>().getElementType());
    }
    case c10::TypeKind::ListType: {
      const auto element = type->expectRef<c10::ListType>().getElementType();
      switch (element->kind()) {
        case c10::TypeKind::TensorType: return listOf<at::Tensor>(call, value, [&](napi_value v) { return call.tensorAt(v); });
        case c10::TypeKind::IntType:
        case c10::TypeKind::SymIntType: return listOf<int64_t>(call, value, integer);
        case c10::TypeKind::FloatType: return listOf<double>(call, value, [&](napi_value v) { return call.numberOf(v); });
        case c10::TypeKind::BoolType: return listOf<bool>(call, value, flag);
        case c10::TypeKind::OptionalType:
          return listOf<std::optional<at::Tensor>>(call, value, [&](napi_value v) -> std::optional<at::Tensor> {
            if (call.typeOf(v) == napi_null) return std::nullopt;
            return call.tensorAt(v);
          });
        default: break;
      }
      [[fallthrough]];
    }
    default: throw std::invalid_argument("arguments of type " + type->str() + " are not passed on");
  }
}

napi_value convert(Call& call, const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor().defined() ? call.result(value.toTensor()) : call.none();
  if (value.isTensorList()) {
    std::vector<napi_value> all;
    for (const at::Tensor& tensor : value.toTensorVector()) all.push_back(call.result(tensor));
    return call.result(all);
  }
  if (value.isScalar()) return call.result(value.toScalar().toDouble());
  return call.none();
}

napi_value invoke(napi_env env, napi_callback_info info) {
  Call call(env, info);
  const auto* op = static_cast<const Operator*>(call.data);
  return answering(call, op->name, [&] {
    const c10::FunctionSchema& schema = op->handle.schema();
    const auto& arguments = schema.arguments();
    if (call.count() > arguments.size()) throw std::invalid_argument("too many arguments");
    torch::jit::Stack stack;
    stack.reserve(arguments.size());
    for (size_t i = 0; i < arguments.size(); i++) {
      const c10::Argument& argument = arguments[i];
      if (i < call.count() && call.typeOf(call.value(i)) != napi_undefined)
        stack.push_back(convert(call, call.value(i), argument.real_type()));
      else if (argument.name() == "device")
        stack.push_back(call.engine.device);
      else if (argument.default_value())
        stack.push_back(*argument.default_value());
      else
        throw std::invalid_argument("argument " + argument.name() + " is missing");
    }
    if (tf32::emulated())
      for (size_t i = 0; i < op->factors; i++) stack[i] = factor(stack[i]);
    op->handle.callBoxed(stack);
    if (stack.size() == 1) return convert(call, stack[0]);
    std::vector<napi_value> all;
    for (const c10::IValue& value : stack) all.push_back(convert(call, value));
    return call.result(all);
  });
}

/** operator(name, overload) -> function */
napi_value find(Call& call) {
  const std::string name = call.text(0), overload = call.given(1) ? call.text(1) : "";
  auto found = c10::Dispatcher::singleton().findSchema({name, overload});
  if (!found) throw std::invalid_argument("this PyTorch has no operator " + name + (overload.empty() ? "" : "." + overload));
  auto op = std::make_unique<Operator>(Operator{*found, name, factorsOf(name)});
  napi_value function;
  check(napi_create_function(call.env, name.c_str(), NAPI_AUTO_LENGTH, invoke, op.get(), &function), "a function");
  check(napi_add_finalizer(call.env, function, op.get(), [](napi_env, void* data, void*) { delete static_cast<Operator*>(data); }, nullptr, nullptr), "a finalizer");
  op.release();
  return function;
}

}  // namespace

void provideOperators(napi_env env, napi_value exports) { provide(env, exports, {{"operator", find}}); }

}  // namespace bulwark
