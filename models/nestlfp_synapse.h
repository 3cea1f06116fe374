// The synapse model of the connections from a network's neurons to the filter nodes.
//
// A script changes its own connections with nest.GetConnections(source=E).weight = 0.0, and
// GetConnections lists ours as well. The weight of ours is a factor of a kernel and their delay a place
// in time. Both are given when the connection is made, and stay: what is set later has no effect. The
// factor of a kernel that follows plastic synapses changes, under a name that no other model has.
#pragma once

#include <chrono>
#include <string>

#include "connection.h"
#include "exceptions.h"
#include "nest_impl.h"
#include "static_synapse.h"

namespace
{

#if __has_include( "dictionary.h" )

using Status = Dictionary; // from NEST 3.10 on

template < typename T >
void
put( Status& d, const std::string& key, T value )
{
  d[ key ] = value;
}

template < typename KeyT, typename T >
bool
update( const Status& d, const KeyT& key, T& value )
{
  return d.update_value( key, value );
}

#else

using Status = DictionaryDatum;

template < typename T >
void
put( Status& d, const std::string& key, T value )
{
  def< T >( d, key, value );
}

template < typename KeyT, typename T >
bool
update( const Status& d, const KeyT& key, T& value )
{
  return updateValue< T >( d, key, value );
}

#endif

// What all connections of the model have in common: when the module was loaded. Two lives of NEST's
// kernel, from one ResetKernel to the next, differ in it.
class SynapseProperties : public nest::CommonSynapseProperties
{
  long loaded_ = std::chrono::steady_clock::now().time_since_epoch().count();

public:
  void
  get_status( Status& d ) const
  {
    nest::CommonSynapseProperties::get_status( d );
    put( d, "loaded", loaded_ );
  }
};

template < typename targetidentifierT >
class nestlfp_synapse : public nest::static_synapse< targetidentifierT >
{
public:
  typedef SynapseProperties CommonPropertiesType;

  static constexpr nest::ConnectionModelProperties properties =
    nest::ConnectionModelProperties::HAS_DELAY | nest::ConnectionModelProperties::IS_PRIMARY;

  void
  check_connection( nest::Node& source, nest::Node& target, size_t receptor_type, const CommonPropertiesType& common )
  {
    nest::static_synapse< targetidentifierT >::check_connection( source, target, receptor_type, common );
  }

  void
  set_status( const Status& d, nest::ConnectorModel& )
  {
    double ignored;
    update( d, nest::names::weight, ignored );
    update( d, nest::names::delay, ignored );
    double factor;
    if ( update( d, std::string( "factor" ), factor ) )
    {
      this->set_weight( factor );
    }
  }
};

template < typename targetidentifierT >
constexpr nest::ConnectionModelProperties nestlfp_synapse< targetidentifierT >::properties;

// Models are registered once, where several modules bring them.
void
register_synapse( const std::string& name )
{
  try
  {
    nest::kernel().model_manager.get_synapse_model_id( name );
  }
  catch ( const nest::UnknownSynapseType& )
  {
    nest::register_connection_model< nestlfp_synapse >( name );
  }
}

void
register_once( const std::string& name, void ( *register_node )( const std::string& ) )
{
  try
  {
    nest::kernel().model_manager.get_node_model_id( name );
  }
  catch ( const nest::UnknownModelName& )
  {
    register_node( name );
  }
}

} // namespace
