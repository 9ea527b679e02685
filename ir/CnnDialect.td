// The `cnn` dialect: its name, its conventions and the base class of its operations.
#ifndef CNN_DIALECT_TD
#define CNN_DIALECT_TD

include "mlir/IR/OpBase.td"

def Cnn_Dialect : Dialect {
  let name = "cnn";
  let cppNamespace = "::cnn";
  let summary = "Convolutional networks on tensors";
  let description = [{
    Operations on ranked tensors in logical NCHW order. Dimension 0 may be `?`, the batch N, of which a network has one; all
    other dimensions are numbers. A tensor's encoding (`#cnn.layout`) says how it is stored and has no meaning for its values.

    A network is a module: state declarations (`cnn.param`, `cnn.statistic`, `cnn.slot`, `cnn.counter`) and functions whose
    arguments and results carry one of the attributes

    | attribute | on | meaning |
    | --- | --- | --- |
    | `cnn.input = "name"` | argument | a named input |
    | `cnn.output = "name"` | result | a named output |
    | `cnn.state = @path` | argument, result | a state variable as it is before, and after, the call |
    | `cnn.hyper = "name"` | argument | a scalar that is not data, such as a learning rate |
    | `cnn.packed = i` | argument, result | the i-th value that `@prepare` computes and `@run` takes |
    | `cnn.preprocess = [...]` | input argument | what the tool does with a picture before it is the input |
  }];
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{ void registerAttributes(); }];
  let hasConstantMaterializer = 1;
  let hasOperationAttrVerify = 0;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
}

class Cnn_Op<string mnemonic, list<Trait> traits = []> : Op<Cnn_Dialect, mnemonic, traits>;

#endif
