"""Which names an uploaded or output file may have: the SDK's rule, which both sides of a sandbox keep."""

from localfn.file_names import file_name_problem

__all__ = ["file_name_problem"]
