//! The arguments of a function, by which functions of one name are told apart.

use crate::facts::names::{option, qualified, string};
use crate::parse::{NodeEnum, pg};

/// The arguments of a function: what tells overloaded functions apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The types of its input arguments, without schemas.
    pub types: Box<str>,
    /// How many arguments a call has at least.
    pub least: usize,
    /// How many it has at most.
    pub most: usize,
}

/// The arguments of the function that the statement creates, changes or mentions.
#[must_use]
pub fn signature(node: &NodeEnum) -> Option<Signature> {
    use pg::FunctionParameterMode as M;
    let of_parameters = |parameters: &[pg::Node]| {
        let (mut types, mut least, mut variadic) = (Vec::new(), 0, false);
        for parameter in parameters {
            let Some(NodeEnum::FunctionParameter(p)) = &parameter.node else { continue };
            let mode = M::try_from(p.mode);
            if matches!(mode, Ok(M::FuncParamOut | M::FuncParamTable)) {
                continue;
            }
            types.push(argument(p.arg_type.as_ref()));
            variadic |= matches!(mode, Ok(M::FuncParamVariadic));
            least += usize::from(p.defexpr.is_none() && !matches!(mode, Ok(M::FuncParamVariadic)));
        }
        let most = if variadic { usize::MAX } else { types.len() };
        Signature { types: types.join(",").into(), least, most }
    };
    match node {
        NodeEnum::CreateFunctionStmt(s) => Some(of_parameters(&s.parameters)),
        NodeEnum::DefineStmt(s) if s.kind == pg::ObjectType::ObjectAggregate as i32 => {
            match s.args.first().and_then(|args| args.node.as_ref()) {
                Some(NodeEnum::List(list)) => Some(of_parameters(&list.items)),
                _ => Some(of_parameters(&[])),
            }
        }
        NodeEnum::DefineStmt(s) if s.kind == pg::ObjectType::ObjectOperator as i32 => {
            let of = |word: &str| match option(&s.definition, word)?.arg.as_ref()?.node.as_ref()? {
                NodeEnum::TypeName(name) => Some(argument(Some(name))),
                _ => None,
            };
            let types = [of("leftarg").unwrap_or_default(), of("rightarg").unwrap_or_default()];
            Some(Signature { types: types.join(",").into(), least: 0, most: usize::MAX })
        }
        NodeEnum::CreateOpClassStmt(s) => Some(of_method("class", &s.amname)),
        NodeEnum::CreateOpFamilyStmt(s) => Some(of_method("family", &s.amname)),
        NodeEnum::AlterOperatorStmt(s) => s.opername.as_ref().map(of_object),
        NodeEnum::DropStmt(s) => match s.objects.as_slice() {
            [one] => of_typed(s.remove_type, one),
            _ => None,
        },
        NodeEnum::AlterFunctionStmt(s) => s.func.as_ref().map(of_object),
        NodeEnum::AlterOwnerStmt(s) => of_typed(s.object_type, s.object.as_deref()?),
        NodeEnum::AlterObjectSchemaStmt(s) => of_typed(s.object_type, s.object.as_deref()?),
        NodeEnum::AlterObjectDependsStmt(s) => of_typed(s.object_type, s.object.as_deref()?),
        NodeEnum::RenameStmt(s) => of_typed(s.rename_type, s.object.as_deref()?),
        NodeEnum::CommentStmt(s) => of_typed(s.objtype, s.object.as_deref()?),
        NodeEnum::SecLabelStmt(s) => of_named(s.object.as_deref()?),
        NodeEnum::GrantStmt(s) => of_named(s.objects.first()?),
        _ => None,
    }
}

/// An operator class or family is told apart by its access method.
fn of_method(word: &str, method: &str) -> Signature {
    Signature { types: format!("{word} for {method}").into(), least: 0, most: usize::MAX }
}

/// The same of an object of this type. The access method of an operator class stands before its name.
fn of_typed(object_type: i32, node: &pg::Node) -> Option<Signature> {
    use pg::ObjectType as T;
    let word = match T::try_from(object_type).ok()? {
        T::ObjectOpclass => "class",
        T::ObjectOpfamily => "family",
        _ => return of_named(node),
    };
    match node.node.as_ref()? {
        NodeEnum::List(list) => Some(of_method(word, string(list.items.first()?)?)),
        _ => None,
    }
}

fn of_named(node: &pg::Node) -> Option<Signature> {
    match node.node.as_ref()? {
        NodeEnum::ObjectWithArgs(object) if !object.args_unspecified => Some(of_object(object)),
        _ => None,
    }
}

fn of_object(object: &pg::ObjectWithArgs) -> Signature {
    let types: Vec<String> = object
        .objargs
        .iter()
        .map(|node| match &node.node {
            Some(NodeEnum::TypeName(name)) => argument(Some(name)),
            _ => String::new(),
        })
        .collect();
    Signature { least: types.len(), most: types.len(), types: types.join(",").into() }
}

/// An argument's type without its schema: `integer` is `pg_catalog.int4` to the parser, `app.t` may be
/// written without its schema.
#[must_use]
pub fn argument(name: Option<&pg::TypeName>) -> String {
    name.map_or_else(String::new, |name| {
        let base = qualified(&name.names).map_or("", |(_, base)| base);
        format!("{base}{}", "[]".repeat(name.array_bounds.len()))
    })
}
